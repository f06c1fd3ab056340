"""Experiments with known targets, as contexts of which it is known what they act on.

Each experiment becomes a context of its own, yes or no, with arrows to its targets and to nothing else. The mechanism of a target
changes with its experiment and with no other, so that its neighbours can be told apart by invariance, where a single context for all
experiments would leave every edge between two targets to the third phase.

References
----------
J. Mooij, S. Magliacane, T. Claassen, "Joint causal inference from multiple contexts", JMLR 21(99), 2020 (one context variable per
experiment).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from causalkit._validation import ColumnType, Table
from causalkit.exceptions import DataError, ParameterError
from causalkit.graph import BackgroundKnowledge

__all__ = ["intervention_contexts"]


def intervention_contexts(
    contexts: Table, targets: Mapping[str, Sequence[str]], variables: Sequence[str]
) -> tuple[Table, BackgroundKnowledge]:
    """Turn a context of labels into one context per experiment, and its targets into knowledge.

    Parameters
    ----------
    contexts : Table
        A single column of labels.
    targets : mapping of str to sequence of str
        The targets of each experiment. A label without targets, or that is not mentioned, is an observation without intervention.
    variables : sequence of str
        Names of the variables.
    """
    levels = _labels(contexts)
    known = {str(label): _names(label, names, variables) for label, names in targets.items()}
    unknown = [label for label in known if label not in levels]
    if unknown:
        raise DataError(
            f"targets mentions {unknown[0]!r}; the context has {', '.join(map(repr, levels[:12]))}"
        )
    experiments = [label for label, names in known.items() if names]
    if not experiments:
        raise ParameterError("targets names no target at all; leave it out")
    codes = contexts.values[:, 0].astype(int)
    names = tuple(f"{contexts.names[0]}={label}" for label in experiments)
    columns = np.column_stack([codes == levels.index(label) for label in experiments]).astype(np.float64)
    kind: ColumnType = "categorical"
    table = Table(names, columns, (kind,) * len(names), levels=dict.fromkeys(names, ("no", "yes")))
    edges = {
        (name, v): v in known[label]
        for name, label in zip(names, experiments, strict=True)
        for v in variables
    }
    required = [edge for edge, is_target in edges.items() if is_target]
    return table, BackgroundKnowledge(required, [edge for edge in edges if edge not in required])


def _labels(contexts: Table) -> list[str]:
    if contexts.n_columns != 1 or contexts.types[0] != "categorical":
        raise ParameterError(
            "targets need a single context of labels, one per experiment; got "
            + ", ".join(f"{n!r} ({kind})" for n, kind in zip(contexts.names, contexts.types, strict=True))
        )
    return [str(level) for level in contexts.levels[contexts.names[0]]]


def _names(label: str, names: Sequence[str], variables: Sequence[str]) -> tuple[str, ...]:
    found = (names,) if isinstance(names, str) else tuple(names)
    unknown = [name for name in found if name not in variables]
    if unknown:
        raise ParameterError(
            f"targets[{label!r}] mentions {unknown[0]!r}, which is no variable; variables are {', '.join(variables)}"
        )
    return found
