"""What ships with the package as JSON."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def bundled(name: str) -> dict[str, Any]:
    """Return the content of a JSON file of this folder; it is read once and must not be changed."""
    text = files("causalkit.datasets").joinpath(f"_{name}.json").read_text(encoding="utf-8")
    return dict(json.loads(text))
