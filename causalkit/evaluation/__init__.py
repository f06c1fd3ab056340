"""How far one graph is from another. Every metric names its convention."""

from causalkit.evaluation._graph_metrics import (
    GraphReport,
    Scores,
    graph_report,
    mark_scores,
    shd,
    skeleton_scores,
)

__all__ = ["GraphReport", "Scores", "graph_report", "mark_scores", "shd", "skeleton_scores"]
