"""Configuration of the documentation."""

import os
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import causalkit

project = "causalkit"
author = "The causalkit developers"
copyright = "2026, the causalkit developers"
version = release = causalkit.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]

exclude_patterns = ["_build", "auto_examples/**.ipynb", "auto_examples/**.py.md5"]
templates_path = ["_templates"]
nitpicky = True
default_role = "autolink"

# -- reference ---------------------------------------------------------------------------------------------------------------

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
numpydoc_validation_checks = {
    "all",
    "ES01",  # an extended summary is not always needed
    "EX01",  # methods are shown in the example of their class
    "GL01",  # the summary starts on the line of the quotes
    "SA01",  # see-also sections where they help
    "PR02",  # attributes documented as parameters of a data class
    "YD01",
    "SS05",
}
# Enumerations and protocols have the parameters of their bases, a named tuple those of its fields.
numpydoc_validation_exclude = {
    r"\.__",
    r"\._",
    r"\.AmbiguousTriple",
    r"\.(Mark|GraphKind|CITest|Kernel|NullLaw|Regression|ChangeScorer|MechanismEmbedding|TestRecord|EventOracle|ProbabilityOracle|strength.Scorer|llm_causal.Expert)$",
}

# Inventories of other projects lie beside the documentation, so that it builds without a network.
_INVENTORIES = Path(__file__).parent / "_inventories"
intersphinx_mapping = {
    name: (url, (str(_INVENTORIES / f"{name}.inv"), None))
    for name, url in {
        "python": "https://docs.python.org/3/",
        "numpy": "https://numpy.org/doc/stable/",
        "matplotlib": "https://matplotlib.org/stable/",
        "networkx": "https://networkx.org/documentation/stable/",
        "pandas": "https://pandas.pydata.org/docs/",
    }.items()
}

# -- gallery -----------------------------------------------------------------------------------------------------------------

os.environ.setdefault("CAUSALKIT_EXAMPLE_DATA_SETS", "5")
warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"plot_",
    "ignore_pattern": r"us_macro_data\.py",
    "image_scrapers": ("matplotlib",),
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "plot_gallery": "True",
    "abort_on_example_error": True,
    "min_reported_time": 1,
    "parallel": 2,
}

# -- pages -------------------------------------------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = "causalkit"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_theme_options = {
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": []}

doctest_global_setup = "import numpy as np"
