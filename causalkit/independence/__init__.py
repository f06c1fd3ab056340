"""Tests of (conditional) independence: as functions of arrays, and as objects that searches call.

=============================  =====================  ==========================================================
Function                       Object, and its name   For
=============================  =====================  ==========================================================
:func:`kci_test`               `KCI`, "kci"           any relation; numbers, labels, time
:func:`fisher_z_test`          `FisherZ`, "fisher_z"  jointly Gaussian numbers
:func:`g_square_test`          `GSquare`, "g_square"  labels
:func:`chi_square_test`        `ChiSquare`,           labels
                               "chi_square"
:func:`gcm_test`               `GCM`, "gcm"           a companion: correlation of residuals, any regression
none                           `RCIT`, "rcit";        random features, for comparison
                               `RCoT`, "rcot"
none                           `DSeparation`          a known graph instead of data
=============================  =====================  ==========================================================
"""

from causalkit._validation import Cyclic
from causalkit.independence._base import CITest, get_test, register_test
from causalkit.independence._contingency import ChiSquare, GSquare, chi_square_test, g_square_test
from causalkit.independence._covariance_measure import GCM, gcm_test
from causalkit.independence._determined import SkipDetermined, equivalent_columns, unexplained_share
from causalkit.independence._divide import DivideAndCombine
from causalkit.independence._fisher_z import FisherZ, fisher_z_test
from causalkit.independence._kci import KCI, kci_test
from causalkit.independence._kernels import Circle, Delta, Gaussian, Kernel, Linear, center_gram
from causalkit.independence._null import (
    CircularShift,
    Gamma,
    HallBuckleyEagleson,
    NullLaw,
    Permutation,
    Spectral,
)
from causalkit.independence._oracle import DSeparation
from causalkit.independence._random_features import RCIT, RCoT
from causalkit.independence._redundant import Redundancy, redundant_columns
from causalkit.independence._regression import FixedRidge, GaussianProcess, LeaveOneOut, LowRank, Regression
from causalkit.independence._result import ResultColumns, TestResult
from causalkit.independence._testwise import TestwiseDeletion

__all__ = [
    "GCM",
    "KCI",
    "RCIT",
    "CITest",
    "ChiSquare",
    "Circle",
    "CircularShift",
    "Cyclic",
    "DSeparation",
    "Delta",
    "DivideAndCombine",
    "FisherZ",
    "FixedRidge",
    "GSquare",
    "Gamma",
    "Gaussian",
    "GaussianProcess",
    "HallBuckleyEagleson",
    "Kernel",
    "LeaveOneOut",
    "Linear",
    "LowRank",
    "NullLaw",
    "Permutation",
    "RCoT",
    "Redundancy",
    "Regression",
    "ResultColumns",
    "SkipDetermined",
    "Spectral",
    "TestResult",
    "TestwiseDeletion",
    "center_gram",
    "chi_square_test",
    "equivalent_columns",
    "fisher_z_test",
    "g_square_test",
    "gcm_test",
    "get_test",
    "kci_test",
    "redundant_columns",
    "register_test",
    "unexplained_share",
]

register_test("kci", KCI)
register_test("fisher_z", FisherZ)
register_test("g_square", GSquare)
register_test("chi_square", ChiSquare)
register_test("gcm", GCM)
register_test("rcit", RCIT)
register_test("rcot", RCoT)
