"""How far one graph is from another, and one representation from the truth.

Graphs are compared by edges, by marks, and by the effects that they imply; representations by what single codes and all codes hold of the true
factors, with an interval, a chance level and a ceiling. Every metric names its convention.
"""

from causalkit.evaluation._assess import RepresentationScore
from causalkit.evaluation._component_r2 import block_r2, component_r2
from causalkit.evaluation._disentanglement import DCI, dci, explicitness, mig, modularity, sap
from causalkit.evaluation._effect_metrics import (
    AdjustmentDistance,
    MarkConfusion,
    Overlap,
    aid,
    mark_confusion,
    order_accuracy,
    overlap,
    sid,
)
from causalkit.evaluation._graph_metrics import (
    GraphReport,
    Scores,
    graph_report,
    mark_scores,
    shd,
    skeleton_scores,
)
from causalkit.evaluation._latent_graph import Implications, LatentGraphReport, latent_graph_report
from causalkit.evaluation._mcc import mcc
from causalkit.evaluation._published_protocol import PublishedScore, causalverse_scores
from causalkit.evaluation._report import RepresentationReport, representation_report
from causalkit.evaluation._retrieval import Retrieval, counterfactual_retrieval

__all__ = [
    "DCI",
    "AdjustmentDistance",
    "GraphReport",
    "Implications",
    "LatentGraphReport",
    "MarkConfusion",
    "Overlap",
    "PublishedScore",
    "RepresentationReport",
    "RepresentationScore",
    "Retrieval",
    "Scores",
    "aid",
    "block_r2",
    "causalverse_scores",
    "component_r2",
    "counterfactual_retrieval",
    "dci",
    "explicitness",
    "graph_report",
    "latent_graph_report",
    "mark_confusion",
    "mark_scores",
    "mcc",
    "mig",
    "modularity",
    "order_accuracy",
    "overlap",
    "representation_report",
    "sap",
    "shd",
    "sid",
    "skeleton_scores",
]
