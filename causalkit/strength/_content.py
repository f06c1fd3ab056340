"""Names that depend on content only, so that results of the same oracle can be found again."""

from __future__ import annotations

import hashlib


def content_id(kind: str, *parts: str | bytes) -> str:
    """Return a kind and a short digest of everything that the thing is made from."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part)
    return f"{kind}-{digest.hexdigest()[:16]}"
