"""A language model as oracle of event strength, by how likely it finds the words of the effect after the cause.

No question is put and no letter is read: the model continues a story that ends with the cause, or with the cause left out, and every event of
the graph is a possible continuation. With l(e | story) the log-likelihood of the words of e, and l(e) the same after no story at all,

    P(e | story) = exp(l(e | story) - l(e)) / sum over e' of exp(l(e' | story) - l(e')).

Long or rare words are unlikely after any story; dividing by their likelihood after none takes that away.

References
----------
A. Holtzman, P. West, V. Shwartz, Y. Choi, L. Zettlemoyer, "Surface form competition: why the highest probability answer isn't always right",
EMNLP 2021 (the division).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from causalkit._random import Seed, entropy
from causalkit._validation import check_count
from causalkit.exceptions import DataError
from causalkit.strength._content import content_id
from causalkit.strength._event_oracles import Pairs
from causalkit.strength._events import EventGraph
from causalkit.strength._prompts import ScoreOptions, as_function, log_probabilities, stories, texts_of

__all__ = ["LikelihoodOracle"]

Floats = NDArray[np.float64]


class LikelihoodOracle:
    """How likely the words of the effect are, after stories with and without the cause.

    Parameters
    ----------
    score : callable or Scorer
        Takes a list of prompts and a list of options, and returns log-probabilities of shape (prompts, options): that each option
        comes next. Or an object with such a method ``score``; the options are texts of several words, which servers of chat cannot score.
    graph : EventGraph
        Its events are the possible continuations; stories before the cause are sampled from it.
    name : str
        Name of model and revision; part of the `id`.
    activity : str
        What is done, in words, such as ``"repotting a house plant"``.
    texts : mapping of str to str, optional
        How to say every event; by default its name.
    n_prefixes : int, default=5
        Different stories per cause.
    corrected : bool, default=True
        Whether the likelihood of words is divided by that after no story.
    rng : int, numpy.random.Generator or None, default=0
        Seed of the stories.

    Notes
    -----
    A prompt is scored with all events as options, twice per story: E events in the graph and S stories cost 2 S E log-likelihoods per cause,
    whatever the number of effects. An event in the story itself stays a possible continuation.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.strength import EventGraph, EventLog, LikelihoodOracle
    >>> graph = EventGraph.from_log(EventLog([["boil", "pour"], ["pour"]]))
    >>> def score(prompts, options):  # knows only that water is boiled to be poured
    ...     boiled = np.array(["Then: boil." in p for p in prompts])
    ...     return np.log(np.where(boiled[:, None], [[0.1, 0.3]], [[0.1, 0.1]]))
    >>> LikelihoodOracle(score, graph, name="toy", activity="making tea").arms([("boil", "pour")]).round(3).tolist()
    [[0.5, 0.75]]
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
        corrected: bool = True,
        rng: Seed = 0,
    ) -> None:
        self.score, self.graph, self.name, self.activity = as_function(score), graph, name, activity
        self.texts = texts_of(graph.events, texts)
        self.n_prefixes, self.corrected = check_count("n_prefixes", n_prefixes), corrected
        self._base = entropy(rng)
        self._alone: Floats | None = None

    @property
    def id(self) -> str:
        """Name of the oracle, the same for the same model, texts, graph and settings."""
        settings = (self.n_prefixes, self.corrected, self._base)
        content = (self.name, self.activity, self.texts, self.graph.events, settings)
        return content_id("likelihood", repr(content), self.graph.counts.tobytes())

    def prompt(self, prefix: Sequence[str], cause: str, *, happens: bool) -> str:
        """Return a story that is to be continued.

        Parameters
        ----------
        prefix : sequence of str
            What happened before.
        cause : str
            An event.
        happens : bool
            Whether the cause takes place.

        Returns
        -------
        str
            The prompt; a continuation is the words of an event.
        """
        before = "".join(f"Then: {self.texts[event]}.\n" for event in prefix)
        step = f"Then: {self.texts[cause]}." if happens else f"This step is left out: {self.texts[cause]}."
        return f"{self._opening}{before}{step}\nThen:"

    @property
    def _opening(self) -> str:
        return f"An everyday activity, step by step: {self.activity}.\n"

    def arms(self, pairs: Pairs) -> Floats:
        """Return for each (cause, effect) the probability of the effect's words without and with the cause.

        Parameters
        ----------
        pairs : sequence of (str, str)
            Events of the graph.

        Returns
        -------
        numpy.ndarray of float, shape (len(pairs), 2)
            Means over stories, between 0 and 1.
        """
        causes = list(dict.fromkeys(cause for cause, _ in pairs))
        continued = {cause: self._continued(cause) for cause in causes}
        return np.array([continued[c][:, self.graph.index(e)] for c, e in pairs]).reshape(-1, 2)

    def _continued(self, cause: str) -> Floats:
        """Return the probability of every event without and with a cause, shape (2, events)."""
        prefixes = stories(self.graph, cause, self.n_prefixes, self._base)
        prompts = [self.prompt(p, cause, happens=happens) for p in prefixes for happens in (False, True)]
        logs = self._logs(prompts) - self._without_story()
        return np.asarray(softmax(logs, axis=1).reshape(len(prefixes), 2, -1).mean(axis=0))

    def _without_story(self) -> Floats:
        if not self.corrected:
            return np.zeros(len(self.graph.events))
        if self._alone is None:
            self._alone = self._logs([f"{self._opening}Then:"])[0]
            never = np.flatnonzero(np.isneginf(self._alone))
            if never.size:
                raise DataError(
                    f"model {self.name!r} gives {self.graph.events[never[0]]!r} no chance after no story; use corrected=False, or other texts"
                )
        return self._alone

    def _logs(self, prompts: Sequence[str]) -> Floats:
        options = [f" {self.texts[event]}" for event in self.graph.events]
        return log_probabilities(self.score, prompts, options, self.name)
