"""The package as a whole: what importing it costs, what its code never does, and its public names."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import causalkit

ROOT = Path(causalkit.__file__).parent
HEAVY = ("torch", "cupy", "causallearn", "pandas", "matplotlib")


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("what", ["causalkit", "causalkit.graph"])
def test_import_loads_nothing_heavy(what):
    loaded = python(f"import sys, {what}; print([m for m in {HEAVY!r} if m in sys.modules])")
    assert loaded.strip() == "[]"


def test_graph_needs_numpy_only():
    loaded = python(
        "import sys, causalkit.graph; print([m for m in ('scipy', 'sklearn', 'networkx', 'narwhals') if m in sys.modules])"
    )
    assert loaded.strip() == "[]"


def test_sub_packages_load_on_first_use():
    assert python(
        "import causalkit as ck; print(ck.discovery.CDNOD.__name__, ck.CausalGraph.__name__)"
    ).split() == ["CDNOD", "CausalGraph"]
    with pytest.raises(AttributeError, match="nothing"):
        _ = causalkit.nothing
    assert "discovery" in dir(causalkit)


def modules():
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in sorted(ROOT.rglob("*.py"))]


def test_no_assert_eval_print_or_pickle():
    """User input is never checked by assert, nothing is evaluated or unpickled, and only the command line prints."""
    found = []
    for path, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Assert):
                found.append(f"{path.name}:{node.lineno} assert")
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("eval", "exec", "print")
            ):
                found += [f"{path.name}:{node.lineno} {node.func.id}"] if path.parent.name != "_cli" else []
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", "") or ""]
                found += [f"{path.name}:{node.lineno} pickle"] if "pickle" in names else []
    assert found == []


def test_no_keyword_sinks():
    """A misspelt keyword must be an error: no public function takes **kwargs."""
    sinks = [
        f"{path.name}:{node.name}"
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.args.kwarg and not node.name.startswith("_")
    ]
    assert set(sinks) <= {"_core.py:with_meta", "_core.py:with_node_data"}


@pytest.mark.parametrize("name", ["graph", "independence", "discovery", "evaluation", "exceptions"])
def test_public_names_exist_and_are_documented(name):
    module = getattr(causalkit, name)
    for public in module.__all__:
        member = getattr(module, public)
        if callable(member):
            assert member.__doc__, public
    assert sorted(module.__all__) == sorted(set(module.__all__))
