"""A real model, where one is named: asks the directions of Asia, keeps a dated transcript, and prints what came. It is never run by itself."""

from __future__ import annotations

import datetime as dt
import os

import pytest

from causalkit.datasets import load_network
from causalkit.llm_causal import Budget, ChatExpert, GraphBuilder, ReplayExpert, orientation_accuracy


@pytest.mark.live
def test_a_model(tmp_path):
    model = os.environ.get("CAUSALKIT_LIVE_MODEL")
    if not model:
        pytest.skip("name a model in CAUSALKIT_LIVE_MODEL, and its server in CAUSALKIT_LIVE_URL")
    truth = load_network("asia").graph
    expert = ChatExpert(model, base_url=os.environ.get("CAUSALKIT_LIVE_URL"))
    path = tmp_path / f"{dt.datetime.now(dt.UTC):%Y-%m-%d}.jsonl"
    result = GraphBuilder(
        truth.nodes, expert=expert, graph=truth.to_cpdag(), budget=Budget(calls=60), transcript=path
    ).run()
    print(result)
    print(f"accuracy {orientation_accuracy(result.answers, truth):.3f}; transcript {path}")
    again = GraphBuilder(truth.nodes, expert=ReplayExpert(path), graph=truth.to_cpdag()).run()
    assert again.graph.to_json() == result.graph.to_json().replace(expert.name, again.graph.meta["expert"])
    assert any(a.status == "answered" for a in result.answers)
