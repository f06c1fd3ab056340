"""How far one graph is from another: by edges, by marks, and by the effects that they imply. Every metric names its convention."""

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

__all__ = [
    "AdjustmentDistance",
    "GraphReport",
    "MarkConfusion",
    "Overlap",
    "Scores",
    "aid",
    "graph_report",
    "mark_confusion",
    "mark_scores",
    "order_accuracy",
    "overlap",
    "shd",
    "sid",
    "skeleton_scores",
]
