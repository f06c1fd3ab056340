"""Replies that were paid for, by everything that was sent: in memory, or in a SQLite file."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

from causalkit._store import redact
from causalkit.exceptions import DataError

__all__ = ["ReplyCache"]

LOG = logging.getLogger("causalkit.llm_causal")


class ReplyCache:
    """Replies by the key of their request; JSON in, JSON out.

    A file is opened anew for each use, so that threads and processes may share it. A disk that is full costs the memory of what comes after, never a reply.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = None if path is None else Path(path)
        self.problem = ""
        self._memory: dict[str, str] = {}
        self._lock = threading.Lock()
        if self.path is not None:
            self._create(self.path)

    def _create(self, path: Path) -> None:
        try:
            path.touch(mode=0o600)
            with closing(self._connect()) as base, base:
                base.execute("PRAGMA journal_mode=WAL")
                base.execute("CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL)")
        except (sqlite3.DatabaseError, OSError) as problem:
            raise DataError(f"{path} cannot be used as a cache: {problem}") from problem

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(str(self.path), timeout=30)

    def get(self, key: str) -> Any:
        """Return what was kept, or None."""
        with self._lock:
            found = self._memory.get(key)
        if found is None and self.path is not None:
            try:
                with closing(self._connect()) as base:
                    row = base.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
            except sqlite3.DatabaseError as problem:
                self._note(problem)
                return None
            found = None if row is None else row[0]
        try:
            return None if found is None else json.loads(found)
        except ValueError as problem:
            self._note(problem)
            return None

    def put(self, key: str, reply: Any) -> None:
        """Keep something."""
        text = redact(json.dumps(reply, ensure_ascii=False))
        with self._lock:
            self._memory[key] = text
        if self.path is not None:
            try:
                with closing(self._connect()) as base, base:
                    base.execute("INSERT OR REPLACE INTO replies VALUES (?, ?)", (key, text))
            except sqlite3.DatabaseError as problem:
                self._note(problem)

    def _note(self, problem: Exception) -> None:
        with self._lock:
            first, self.problem = not self.problem, str(problem)
        if first:
            LOG.warning(
                "the cache %s is not written any more (%s); replies are kept in memory", self.path, problem
            )
