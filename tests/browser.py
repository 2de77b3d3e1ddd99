"""Chromium without a window, for tests of pages."""

import json
import shutil

import pytest


def chromium():
    """Start Chromium, which keeps what it asks for and what it prints."""
    webdriver = pytest.importorskip("selenium.webdriver")
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        pytest.skip("no Chromium: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    logs = {"browser": "ALL", "performance": "ALL"}
    options.set_capability("goog:loggingPrefs", logs)
    return webdriver.Chrome(options, webdriver.ChromeService(programs[1]))


def requests(browser):
    """The addresses that the browser has asked for since the last call."""
    events = (
        json.loads(e["message"])["message"] for e in browser.get_log("performance")
    )
    sent = [e["params"] for e in events if e["method"] == "Network.requestWillBeSent"]
    return [one["request"]["url"] for one in sent]
