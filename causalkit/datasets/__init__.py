"""Data with the graph that is taken as their truth.

Real data are not bundled: a loader downloads from a public place, checks the checksum, and keeps the file in a cache, or reads the
copy that you have. What ships with the package: structures of well-known networks, one small activity of our own, what is known of the scenes of
CausalVerse, and a generator of small versions of four of them.
"""

from causalkit.datasets._activities import Activity, load_activity
from causalkit.datasets._causalverse import load_causalverse, plan_causalverse, published_splits
from causalkit.datasets._chambers import causal_chamber_graph, load_causal_chamber
from causalkit.datasets._cold import ColdActivity, ColdQuestion, ColdTriplet, load_cold, recover_cold
from causalkit.datasets._domain_graphs import (
    CauseEffectPair,
    load_arctic_sea_ice,
    load_neuropathic_pain,
    load_tuebingen_pairs,
)
from causalkit.datasets._graph_data import GraphData
from causalkit.datasets._manifest import Factor, SceneInfo, describe, list_scenes
from causalkit.datasets._miniature import make_scene
from causalkit.datasets._networks import Network, list_networks, load_bnrep, load_network
from causalkit.datasets._pendulum import make_pendulum
from causalkit.datasets._recordings import Clip, Clips, Recordings
from causalkit.datasets._sachs import load_sachs
from causalkit.datasets._scene_data import SceneData
from causalkit.datasets._shards import DownloadPlan

__all__ = [
    "Activity",
    "CauseEffectPair",
    "Clip",
    "Clips",
    "ColdActivity",
    "ColdQuestion",
    "ColdTriplet",
    "DownloadPlan",
    "Factor",
    "GraphData",
    "Network",
    "Recordings",
    "SceneData",
    "SceneInfo",
    "causal_chamber_graph",
    "describe",
    "list_networks",
    "list_scenes",
    "load_activity",
    "load_arctic_sea_ice",
    "load_bnrep",
    "load_causal_chamber",
    "load_causalverse",
    "load_cold",
    "load_network",
    "load_neuropathic_pain",
    "load_sachs",
    "load_tuebingen_pairs",
    "make_pendulum",
    "make_scene",
    "plan_causalverse",
    "published_splits",
    "recover_cold",
]
