"""Write the inventories of other projects that the documentation links to.

Only the names that our pages mention are listed. Run it after mentioning a new one: ``python docs/make_inventories.py``.
"""

import zlib
from pathlib import Path

NAMES = {
    "python": [
        ("float", "library/functions.html#float"),
        ("ValueError", "library/exceptions.html#ValueError"),
    ],
    "numpy": [
        ("numpy.ndarray", "reference/generated/numpy.ndarray.html"),
        ("numpy.random.Generator", "reference/random/generator.html"),
    ],
    "matplotlib": [
        ("matplotlib.axes.Axes", "api/_as_gen/matplotlib.axes.Axes.html"),
        ("matplotlib.figure.Figure", "api/_as_gen/matplotlib.figure.Figure.html"),
    ],
    "networkx": [("networkx.DiGraph", "reference/classes/digraph.html")],
    "pandas": [("pandas.DataFrame", "reference/api/pandas.DataFrame.html")],
}

for project, entries in NAMES.items():
    head = f"# Sphinx inventory version 2\n# Project: {project}\n# Version: stable\n# The rest is compressed with zlib.\n"
    body = "".join(f"{name} py:class 1 {page} -\n" for name, page in entries)
    target = Path(__file__).parent / "_inventories" / f"{project}.inv"
    target.write_bytes(head.encode() + zlib.compress(body.encode()))
