"""How strongly one thing causes another, under a graph.

:func:`identify` says what to adjust for, :func:`check_adjustment` explains a verdict about a set, :func:`adjustment_sets`
lists the sets. :func:`causal_strength` puts a number to it, from a table or from any :class:`ProbabilityOracle`; :func:`refute` questions it.
:func:`event_strength` does so for millions of pairs of events, in the manner of COLD.
"""

from causalkit.strength._adjusted_oracle import AdjustedOracle
from causalkit.strength._answer import CausalStrength
from causalkit.strength._arrow import arrow_strength
from causalkit.strength._event_oracles import ChainOracle, EventOracle, LogOracle
from causalkit.strength._event_strength import EventStrengths, event_strength
from causalkit.strength._events import EventGraph, EventLog
from causalkit.strength._identification import (
    AdjustmentCheck,
    Identification,
    adjustment_sets,
    check_adjustment,
    identify,
)
from causalkit.strength._likelihood import LikelihoodOracle
from causalkit.strength._local_model import LocalModel
from causalkit.strength._measures import Estimate
from causalkit.strength._multiple_choice import MultipleChoice, answer_triplets
from causalkit.strength._network import BayesianNetwork
from causalkit.strength._oracle import ClassifierOracle, CountsOracle, NetworkOracle, ProbabilityOracle
from causalkit.strength._overlap import Overlap
from causalkit.strength._possible import possible_graphs
from causalkit.strength._prompts import LetterOracle, OrderOracle, Scorer
from causalkit.strength._refute import Refutation, RefutationTest, refute
from causalkit.strength._strength import causal_strength
from causalkit.strength._triplets import Triplets, TripletScores, make_triplets, score_triplets

__all__ = [
    "AdjustedOracle",
    "AdjustmentCheck",
    "BayesianNetwork",
    "CausalStrength",
    "ChainOracle",
    "ClassifierOracle",
    "CountsOracle",
    "Estimate",
    "EventGraph",
    "EventLog",
    "EventOracle",
    "EventStrengths",
    "Identification",
    "LetterOracle",
    "LikelihoodOracle",
    "LocalModel",
    "LogOracle",
    "MultipleChoice",
    "NetworkOracle",
    "OrderOracle",
    "Overlap",
    "ProbabilityOracle",
    "Refutation",
    "RefutationTest",
    "Scorer",
    "TripletScores",
    "Triplets",
    "adjustment_sets",
    "answer_triplets",
    "arrow_strength",
    "causal_strength",
    "check_adjustment",
    "event_strength",
    "identify",
    "make_triplets",
    "possible_graphs",
    "refute",
    "score_triplets",
]
