"""What must outlive a process: by which words a saved result is found again."""

from causalkit._store._identity import describe, digest_of_arrays

__all__ = ["describe", "digest_of_arrays"]
