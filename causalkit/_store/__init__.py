"""What must outlive a process, by which words it is found again, and what must never be in it: keys."""

from causalkit._store._identity import describe, digest_of_arrays
from causalkit._store._secrets import KEY, holds_secret, like_a_key, make_private, redact, secret_entries

__all__ = [
    "KEY",
    "describe",
    "digest_of_arrays",
    "holds_secret",
    "like_a_key",
    "make_private",
    "redact",
    "secret_entries",
]
