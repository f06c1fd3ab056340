"""Real data with the graph that is taken as their truth.

Nothing is bundled: a loader downloads from a public place, checks the checksum, and keeps the file in a cache.
"""

from causalkit.datasets._sachs import GraphData, load_sachs

__all__ = ["GraphData", "load_sachs"]
