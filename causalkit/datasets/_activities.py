"""Closed daily activities: events, what causes what, how people tell them, and questions about them.

One activity of our own ships with the package. Those of COLD are read from the user's copy, see `load_cold`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from causalkit._validation import check_choice
from causalkit.datasets._bundled import bundled
from causalkit.graph import CausalGraph

__all__ = ["Activity", "load_activity"]

ACTIVITIES = ("repotting",)


@dataclass(frozen=True)
class Activity:
    """A daily activity as a small closed world.

    Parameters
    ----------
    name : str
        What is done, in words.
    graph : CausalGraph
        A DAG over the events: what makes what possible, or necessary.
    order : tuple of str
        All events in the usual order of time.
    texts : dict of str to tuple of str
        Ways to say every event.
    sequences : tuple of tuple of str
        Events as different people tell them.
    """

    name: str
    graph: CausalGraph
    order: tuple[str, ...]
    texts: dict[str, tuple[str, ...]] = field(repr=False)
    sequences: tuple[tuple[str, ...], ...] = field(repr=False)


def load_activity(name: str = "repotting") -> Activity:
    """Load an activity that ships with the package.

    Parameters
    ----------
    name : {"repotting"}, default="repotting"
        Repotting a house plant: 20 events with two texts each, 14 causal arrows, 25 sequences. Written for this package; the sequences are
        made up.

    Returns
    -------
    Activity
        Graph, texts and sequences.

    Examples
    --------
    >>> from causalkit.datasets import load_activity
    >>> activity = load_activity()
    >>> activity.graph.parents("set plant"), len(activity.sequences)
    (('tip out', 'make hole'), 25)
    """
    check_choice("name", name, ACTIVITIES)
    content = bundled(name)
    events = tuple(content["events"])
    lines = [
        *(f'"{e}"' for e in events),
        *(f'"{cause}" -> "{effect}"' for cause, effect in content["causes"]),
    ]
    letters = "abcdefghijklmnopqrstuvwxyz"
    sequences = tuple(tuple(events[letters.index(letter)] for letter in s) for s in content["sequences"])
    texts = {event: tuple(said) for event, said in content["events"].items()}
    return Activity(content["activity"], CausalGraph.parse("\n".join(lines)), events, texts, sequences)
