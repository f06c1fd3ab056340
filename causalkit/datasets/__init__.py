"""Data with the graph that is taken as their truth.

Real data are not bundled: a loader downloads from a public place, checks the checksum, and keeps the file in a cache, or reads the
copy that you have. One small activity of our own ships with the package.
"""

from causalkit.datasets._activities import Activity, ColdQuestion, load_activity, load_cold
from causalkit.datasets._sachs import GraphData, load_sachs

__all__ = ["Activity", "ColdQuestion", "GraphData", "load_activity", "load_cold", "load_sachs"]
