"""Language models as oracles of event strength.

A model is asked, after a story that ends with or without the cause, whether the chance of the effect goes up or down, and answers with a
letter; the letters are asked in both orders, so that a preference for a letter cancels (Joshi et al. 2024, algorithm 3). With s the score of
the letter that says *increase* and s~ that of the other, in either order,

    f = (s + s_flipped) / (s + s_flipped + s~ + s~_flipped).

What the model gives is any function from prompts and two options to scores, or an object with such a method; nothing here knows a provider.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from causalkit._random import Seed, entropy, named_stream
from causalkit._validation import check_choice, check_count
from causalkit.exceptions import DataError, ParameterError
from causalkit.strength._content import content_id
from causalkit.strength._event_oracles import Pairs
from causalkit.strength._events import EventGraph

__all__ = ["LetterOracle", "OrderOracle", "ScoreOptions", "Scorer"]

Floats = NDArray[np.float64]
Scale = Literal["softmax", "probability", "sigmoid"]
LETTERS = (" A", " B")


@runtime_checkable
class Scorer(Protocol):
    """Whatever says how likely options are after prompts, as ``LocalExpert`` and ``ChatExpert`` of ``causalkit.llm_causal`` do."""

    def score(self, prompts: Sequence[str], options: Sequence[str]) -> Any:
        """Return log-probabilities that each option comes next.

        Parameters
        ----------
        prompts, options : sequence of str
            Texts.

        Returns
        -------
        array_like of float, shape (len(prompts), len(options))
            Natural logarithms.
        """
        ...


ScoreOptions: TypeAlias = Callable[[Sequence[str], Sequence[str]], Any] | Scorer


class LetterOracle:
    """Does the chance of the effect increase or decrease? Asked with and without the cause, after sampled stories.

    Parameters
    ----------
    score : callable or Scorer
        Takes a list of prompts and a list of options, and returns log-probabilities of shape (prompts, options): that each option
        comes next. Or an object with such a method ``score``: a local model, or a server that tells log-probabilities.
    graph : EventGraph
        Stories before the cause are sampled from it.
    name : str
        Name of model and revision; part of the `id`, so that answers of different models are not mixed in a store.
    activity : str
        What is done, in words, such as ``"repotting a house plant"``.
    texts : mapping of str to str, optional
        How to say every event; by default its name.
    n_prefixes : int, default=5
        Different stories per cause; the same for both arms and for every effect of that cause.
    scale : {"softmax", "probability", "sigmoid"}, default="softmax"
        What counts as score of a letter: its share among the two; its probability; or a sigmoid of the mean difference of log-probabilities.
    rng : int, numpy.random.Generator or None, default=0
        Seed of the stories.

    References
    ----------
    A. Joshi, A. Ahmad, A. Modi, "COLD: Causal reasoning in closed daily activities", NeurIPS 2024, algorithm 3.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.strength import EventGraph, EventLog, LetterOracle
    >>> graph = EventGraph.from_log(EventLog([["boil", "pour"], ["pour"]]))
    >>> def score(prompts, options):  # prefers the first letter, whatever is asked
    ...     return np.log(np.tile([0.8, 0.2], (len(prompts), 1)))
    >>> LetterOracle(score, graph, name="always A", activity="making tea").arms([("boil", "pour")]).tolist()
    [[0.5, 0.5]]
    """

    def __init__(
        self,
        score: ScoreOptions,
        graph: EventGraph,
        *,
        name: str,
        activity: str,
        texts: Mapping[str, str] | None = None,
        n_prefixes: int = 5,
        scale: Scale = "softmax",
        rng: Seed = 0,
    ) -> None:
        check_choice("scale", scale, get_args(Scale))
        self.score, self.graph, self.name, self.activity, self.scale = (
            as_function(score),
            graph,
            name,
            activity,
            scale,
        )
        self.texts = texts_of(graph.events, texts)
        self.n_prefixes = check_count("n_prefixes", n_prefixes)
        self._base = entropy(rng)

    @property
    def id(self) -> str:
        """Name of the oracle, the same for the same model, texts, graph and settings."""
        content = (
            self.name,
            self.activity,
            self.texts,
            self.graph.events,
            self.n_prefixes,
            self.scale,
            self._base,
        )
        return content_id("letters", repr(content), self.graph.counts.tobytes())

    def prefixes(self, cause: str) -> list[tuple[str, ...]]:
        """Return the stories before a cause: up to `n_prefixes` different ones.

        Parameters
        ----------
        cause : str
            An event.

        Returns
        -------
        list of tuple of str
            Sorted; the same for the same seed, whatever else is asked.
        """
        return stories(self.graph, cause, self.n_prefixes, self._base)

    def prompt(self, prefix: Sequence[str], cause: str, effect: str, *, happens: bool, flipped: bool) -> str:
        """Return the question as text.

        Parameters
        ----------
        prefix : sequence of str
            What happened before.
        cause, effect : str
            Events.
        happens : bool
            Whether the cause takes place.
        flipped : bool
            Whether *decrease* is option A.

        Returns
        -------
        str
            The prompt; an answer is a letter.
        """
        before = "; ".join(self.texts[event] for event in prefix) or "nothing yet"
        what = "This happened next:" if happens else "This did not happen, it was left out:"
        first, second = ("Decrease", "Increase") if flipped else ("Increase", "Decrease")
        return (
            f"We study causes in an everyday activity: {self.activity}.\n"
            f"So far, in this order: {before}.\n"
            f"{what} {self.texts[cause]}.\n"
            f"Does that increase or decrease the chance of the following? {self.texts[effect]}.\n"
            f"A. {first}\nB. {second}\nAnswer:"
        )

    def arms(self, pairs: Pairs) -> Floats:
        """Return for each (cause, effect) the score of *increase* without and with the cause.

        Parameters
        ----------
        pairs : sequence of (str, str)
            Events of the graph.

        Returns
        -------
        numpy.ndarray of float, shape (len(pairs), 2)
            Means over stories, between 0 and 1.
        """
        prompts, owner = [], []
        for k, (cause, effect) in enumerate(pairs):
            for prefix in self.prefixes(cause):
                for happens in (False, True):
                    for flipped in (False, True):
                        prompts.append(self.prompt(prefix, cause, effect, happens=happens, flipped=flipped))
                        owner.append(2 * k + happens)
        scores = log_probabilities(self.score, prompts, LETTERS, self.name).reshape(-1, 2, 2)
        increase = _share(np.stack([scores[:, 0], scores[:, 1, ::-1]], axis=1), self.scale)
        place = np.array(owner, dtype=np.intp).reshape(-1, 2)[:, 0] if owner else np.zeros(0, np.intp)
        sums = np.bincount(place, weights=increase, minlength=2 * len(pairs))
        return np.asarray(sums / np.bincount(place, minlength=2 * len(pairs))).reshape(-1, 2)


class OrderOracle:
    """Does the effect come after the cause? The temporal scheme of COLD, without stories and without adjustment.

    Parameters
    ----------
    score : callable or Scorer
        As for `LetterOracle`.
    name : str
        Name of model and revision.
    texts : mapping of str to str, optional
        How to say every event; by default its name.
    scale : {"softmax", "probability", "sigmoid"}, default="softmax"
        As for `LetterOracle`.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.strength import OrderOracle
    >>> oracle = OrderOracle(lambda prompts, options: np.zeros((len(prompts), 2)), name="undecided")
    >>> oracle.arms([("boil", "pour")]).tolist()
    [[0.5, 0.5]]
    """

    def __init__(
        self,
        score: ScoreOptions,
        *,
        name: str,
        texts: Mapping[str, str] | None = None,
        scale: Scale = "softmax",
    ) -> None:
        check_choice("scale", scale, get_args(Scale))
        self.score, self.name, self.texts, self.scale = as_function(score), name, dict(texts or {}), scale

    @property
    def id(self) -> str:
        """Name of the oracle, the same for the same model, texts and settings."""
        content = repr((self.name, sorted(self.texts.items()), self.scale))
        return content_id("order", content)

    def prompt(self, cause: str, effect: str, *, happens: bool, flipped: bool) -> str:
        """Return the question as text.

        Parameters
        ----------
        cause, effect : str
            Events.
        happens : bool
            Whether the cause takes place.
        flipped : bool
            Whether *before* is option A.

        Returns
        -------
        str
            The prompt; an answer is a letter.
        """
        said = self.texts.get(cause, cause)
        first = said if happens else f"the step '{said}' is left out"
        one, other = ("before", "after") if flipped else ("after", "before")
        return (
            f"First: {first}.\nWhen does this happen: {self.texts.get(effect, effect)}?\n"
            f"A. {one} the first\nB. {other} the first\nAnswer:"
        )

    def arms(self, pairs: Pairs) -> Floats:
        """Return for each (cause, effect) the score of *after* without and with the cause.

        Parameters
        ----------
        pairs : sequence of (str, str)
            Events.

        Returns
        -------
        numpy.ndarray of float, shape (len(pairs), 2)
            Between 0 and 1.
        """
        prompts = [
            self.prompt(cause, effect, happens=happens, flipped=flipped)
            for cause, effect in pairs
            for happens in (False, True)
            for flipped in (False, True)
        ]
        scores = log_probabilities(self.score, prompts, LETTERS, self.name).reshape(-1, 2, 2)
        return _share(np.stack([scores[:, 0], scores[:, 1, ::-1]], axis=1), self.scale).reshape(-1, 2)


def stories(graph: EventGraph, cause: str, count: int, base: int) -> list[tuple[str, ...]]:
    """Return up to `count` different sequences of events before a cause, sorted, from a stream of their own."""
    drawn = graph.sample_prefixes(cause, 4 * count, named_stream(base, ["prefixes", cause]))
    return sorted(list(dict.fromkeys(drawn))[:count])


def as_function(score: Any) -> Callable[[Sequence[str], Sequence[str]], Any]:
    """Return what is asked, for a function or an object with a method."""
    if isinstance(score, Scorer):
        return score.score
    if not callable(score):
        raise ParameterError(
            f"score is {type(score).__name__}, which can say no log-probabilities; give a function of prompts and options, or an object with a method "
            "score, such as LocalModel, LocalExpert or ChatExpert"
        )
    function: Callable[[Sequence[str], Sequence[str]], Any] = score
    return function


def log_probabilities(
    score: Callable[[Sequence[str], Sequence[str]], Any],
    prompts: Sequence[str],
    options: Sequence[str],
    name: str,
) -> Floats:
    """Ask a model, and check that log-probabilities of shape (prompts, options) come back."""
    if not prompts:
        return np.zeros((0, len(options)))
    found = np.asarray(score(list(prompts), list(options)), dtype=float)
    if found.shape != (len(prompts), len(options)):
        raise DataError(
            f"model {name!r} gave scores of shape {found.shape} for {len(prompts)} prompts and {len(options)} options"
        )
    if np.isneginf(found).all(axis=1).any():
        raise DataError(
            f"model {name!r} gives none of the options {list(options[:3])!r} any chance; does it know them as tokens?"
        )
    if np.isnan(found).any() or (found > 1e-6).any():
        raise DataError(
            f"model {name!r} gave {found[np.isnan(found) | (found > 1e-6)][0]}; scores are log-probabilities, at most 0"
        )
    return found


def texts_of(events: Sequence[str], texts: Mapping[str, str] | None) -> dict[str, str]:
    """Return how each event is said, its name where nothing else is given."""
    unknown = [event for event in texts or {} if event not in events]
    if unknown:
        raise ParameterError(
            f"texts says how {unknown[0]!r} is told, which is no event; events are {', '.join(events[:8])}, ..."
        )
    return {event: (texts or {}).get(event, event) for event in events}


def _share(logs: Floats, scale: Scale) -> Floats:
    """Return the share of the first option over both orders; the last axis is (wanted, other)."""
    if scale == "sigmoid":
        return np.asarray(expit((logs[..., 0] - logs[..., 1]).mean(axis=1)))
    if scale == "softmax":
        return np.asarray(expit(logs[..., 0] - logs[..., 1]).mean(axis=1))
    total = np.logaddexp.reduce(logs.reshape(len(logs), -1), axis=1)
    return np.asarray(np.exp(np.logaddexp.reduce(logs[..., 0], axis=1) - total))
