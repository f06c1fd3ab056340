"""Small files of names and values, in JSON or YAML, in which nothing is built but texts, lists and mappings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from causalkit.exceptions import MissingDependencyError, ParameterError

MAX_CHARACTERS, MAX_DEPTH = 5_000_000, 20


def read_mappings(path: Path) -> Any:
    """Read JSON, or YAML in which everything is text: ``NO`` is nitric oxide here, and not false.

    Raises `ParameterError` for what is too long or too deep, has a key twice, or refers to another part of itself (aliases can grow without bound).
    """
    if not path.is_file():
        raise ParameterError(f"there is no file {path}")
    if path.stat().st_size > MAX_CHARACTERS:
        raise ParameterError(f"{path} has {path.stat().st_size} bytes; at most {MAX_CHARACTERS} are read")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as problem:
        raise ParameterError(f"{path} is not in UTF-8; save it so ({problem})") from problem
    return _json(text, path) if path.suffix == ".json" else read_yaml(text, path)


def _json(text: str, path: Path) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        _check_once([key for key, _ in pairs], path)
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=once)
    except ParameterError:
        raise
    except (ValueError, RecursionError) as problem:
        raise ParameterError(f"{path} is not JSON: {problem}") from None


def read_yaml(text: str, path: Path | str) -> Any:
    """Read YAML, everything as text."""
    try:
        import yaml
    except ImportError as problem:
        raise MissingDependencyError(
            "YAML is read with PyYAML: pip install pyyaml, or write the file as JSON"
        ) from problem

    class AsText(yaml.BaseLoader):  # type: ignore[misc]
        """Builds texts, lists and mappings, and nothing else."""

        depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise ParameterError(
                    f"{path} has an alias (*{self.peek_event().anchor}); write the value again"
                )
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise ParameterError(f"{path} is nested more than {MAX_DEPTH} deep")
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            _check_once([self.construct_object(key, deep=True) for key, _ in node.value], path)
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, Loader=AsText)
    except (yaml.YAMLError, RecursionError, TypeError, ValueError) as problem:
        if isinstance(problem, ParameterError):
            raise
        raise ParameterError(f"{path} is not YAML: {problem}") from None


def _check_once(keys: Sequence[Any], path: Path | str) -> None:
    seen: set[str] = set()
    for key in map(repr, keys):
        if key in seen:
            raise ParameterError(f"{path} has {key} twice")
        seen.add(key)
