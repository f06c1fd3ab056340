"""Causal discovery: PC for data from one mechanism, CD-NOD for data whose mechanisms change.

Both are scikit-learn estimators. What they find is a `causalkit.CausalGraph`; why each arrow stands is in ``orientation_``, and
every test that was done is in ``tests_``.
"""

from causalkit.discovery._cdnod import CDNOD
from causalkit.discovery._colliders import AmbiguousTriple
from causalkit.discovery._domain_embedding import domain_mechanism_gram
from causalkit.discovery._driving_force import DrivingForce, driving_force
from causalkit.discovery._embedding import dependence_score, gaussian_gram, mechanism_gram
from causalkit.discovery._independent_change import (
    ChangeScore,
    ChangeScorer,
    CombinedEmbedding,
    IndependentChange,
    KernelEmbedding,
    MechanismEmbedding,
)
from causalkit.discovery._mechanism_parameters import ParameterEmbedding
from causalkit.discovery._orientation import Receipt
from causalkit.discovery._pc import PC
from causalkit.discovery._sinks import ChangeHypothesis
from causalkit.discovery._stability import AlphaPath, Resampling, Stability, alpha_path
from causalkit.discovery._tests_table import TestRecord, TestTable

__all__ = [
    "CDNOD",
    "PC",
    "AlphaPath",
    "AmbiguousTriple",
    "ChangeHypothesis",
    "ChangeScore",
    "ChangeScorer",
    "CombinedEmbedding",
    "DrivingForce",
    "IndependentChange",
    "KernelEmbedding",
    "MechanismEmbedding",
    "ParameterEmbedding",
    "Receipt",
    "Resampling",
    "Stability",
    "TestRecord",
    "TestTable",
    "alpha_path",
    "dependence_score",
    "domain_mechanism_gram",
    "driving_force",
    "gaussian_gram",
    "mechanism_gram",
]
