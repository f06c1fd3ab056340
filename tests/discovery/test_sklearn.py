"""The contract of scikit-learn's estimators."""

from __future__ import annotations

import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from causalkit.discovery import CDNOD, PC, IndependentChange
from causalkit.independence import KCI


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([PC(), CDNOD(n_components=1)])
def test_estimator_contract(estimator, check):
    check(estimator)


def test_clone_keeps_parameters():
    model = CDNOD(ci_test=KCI(width=0.4), independent_change=IndependentChange(alpha=0.02), alpha=0.01)
    copy = clone(model)
    assert copy.get_params()["alpha"] == 0.01
    assert copy.ci_test.width == 0.4
    assert copy.independent_change == model.independent_change
