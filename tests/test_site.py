"""The site of the documentation builds without a warning, and a browser shows it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from browser import chromium, requests

pytest.importorskip("sphinx_gallery", reason="the extra docs is not installed")

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the pages; FOCALBOOST_SITE names one that is built already."""
    if "FOCALBOOST_SITE" in os.environ:
        return Path(os.environ["FOCALBOOST_SITE"])
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "--keep-going"]
    run = subprocess.run([*command, DOCS, folder], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def browser():
    driver = chromium()
    yield driver
    driver.quit()


@pytest.mark.parametrize(
    "page",
    [
        "index.html",
        "tutorials/transactions.html",
        "explanation/certificate.html",
        "gallery/index.html",
        "gallery/what_methods_find.html",
        "reference/generated/focalboost.FocalXGBClassifier.html",
    ],
)
@pytest.mark.parametrize("width", [1300, 420])
def test_a_browser_shows_a_page(site, browser, page, width):
    browser.set_window_size(width, 900)
    browser.get((site / page).as_uri())
    broken = "i => !i.complete || i.naturalWidth == 0"
    script = f"return [...document.images].filter({broken}).map(i => i.src)"
    assert browser.execute_script(script) == []
    errors = [e for e in browser.get_log("browser") if e["level"] == "SEVERE"]
    assert errors == []
    asked = requests(browser)
    assert (site / page).as_uri() in asked
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_formulas_are_drawn(site, browser):
    browser.get((site / "explanation/certificate.html").as_uri())
    script = "return document.querySelectorAll('mjx-container').length"
    browser.set_script_timeout(20)
    browser.execute_async_script("MathJax.startup.promise.then(arguments[0])")
    assert browser.execute_script(script) > 20


@pytest.mark.slow  # it opens a hundred pages
def test_a_phone_scrolls_no_page_sideways(site, browser):
    """Code, formulas and tables scroll by themselves; the page around them does not."""
    phone = {"width": 420, "height": 900, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    script = """const page = document.querySelector(".bd-article-container");
        return page.scrollWidth - page.clientWidth"""
    pages = [page for page in site.rglob("*.html") if "_static" not in page.parts]
    assert len(pages) > 80
    wider = {}
    for page in pages:
        browser.get(page.as_uri())
        wider[str(page.relative_to(site))] = browser.execute_script(script)
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert {page: by for page, by in wider.items() if by > 0} == {}
