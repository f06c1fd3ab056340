"""The code in the README runs and prints what it says."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"


def test_code_runs_as_printed(capsys):
    code = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[1]
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102
    printed = capsys.readouterr().out
    for comment in re.findall(r"# (\(.*\)|\w+ -> .*)$", code, re.MULTILINE):
        assert comment in printed
    assert "SHD 0" in printed
