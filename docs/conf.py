"""Settings of the documentation; ``sphinx-build -W docs docs/_build/html`` makes it."""

import sys
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs"))  # of _gallery

project = "focalboost"
author = copyright = "focalboost developers"
version = release = metadata.version("focalboost")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # formulas without the net
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
]
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "gallery/**/*.ipynb", "gallery/**/*.zip"]
templates_path = ["_templates"]

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings have the types
maximum_signature_line_length = 70
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

sphinx_gallery_conf = {
    "examples_dirs": str(ROOT / "examples"),
    "gallery_dirs": "gallery",
    "filename_pattern": r"^(?!.*ray_train).*\.py$",  # shown, not executed: Ray is large
    "reset_argv": "_gallery.arguments",
    "ignore_pattern": r"__init__\.py",
    "within_subsection_order": "ExampleTitleSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "default_thumb_file": str(ROOT / "docs" / "_static" / "no_picture.svg"),
    "capture_repr": (),  # no diagram of each fitted estimator
    "remove_config_comments": True,
    "min_reported_time": 3600,
    "write_computation_times": False,
    "show_memory": False,
    "show_signature": False,
    "matplotlib_animations": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "focalboost"
html_context = {"default_mode": "light"}
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": []}
html_use_index = False  # the reference lists all names
html_show_sourcelink = False
html_copy_source = False


def setup(app):
    """Leave out what a class has from its host or from scikit-learn."""
    app.connect("autodoc-skip-member", is_of_others)


def is_of_others(app, what, name, obj, skip, options):
    """Whether a member is not ours; None leaves the choice to Sphinx."""
    module = getattr(obj, "__module__", None) or ""
    is_setter = name.startswith("set_") and name.endswith("_request")
    return True if is_setter or module.startswith(("xgboost", "sklearn")) else None
