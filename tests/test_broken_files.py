"""Files in which bytes were cut, doubled or exchanged: every reader gives a result or one of our errors, in little time."""

from __future__ import annotations

import json
import os
import time
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from causalkit import CausalGraph, read_graph
from causalkit.datasets import load_arctic_sea_ice, load_cold, load_neuropathic_pain
from causalkit.exceptions import CausalKitError
from causalkit.llm_causal import (
    HumanExpert,
    OracleExpert,
    Question,
    ReplayExpert,
    Transcript,
    Variable,
    read_review_sheet,
    read_variables,
)
from causalkit.llm_causal.published import read_published
from causalkit.strength import BayesianNetwork, EventLog

FUZZ = int(os.environ.get("CAUSALKIT_FUZZ", "1"))
GRAPH = CausalGraph.parse("a -> b; b -> c; a -> c")
QUESTION = Question("orient", ("a", "b"))


def a_graph(path):
    GRAPH.to_npz(path) if path.suffix == ".npz" else path.write_text(GRAPH.to_json())


def a_transcript(path):
    transcript = Transcript([Variable("a"), Variable("b")], path)
    for answer in OracleExpert(GRAPH).answer([QUESTION, Question("orient", ("b", "c"))]):
        transcript.add(answer, "direction")


def a_sheet(path):
    HumanExpert(path).answer([QUESTION])


def text(content):
    return lambda path: path.write_text(content)


PUBLISHED = {"pair_id": "1", "prompt": "?", "result": {"choices": [{"message": {"content": "<Answer>A</Answer>"}}], "usage": {"prompt_tokens": 3}}}  # fmt: skip
NET = "network n { }\nvariable a { type discrete [ 2 ] { x, y }; }\nprobability ( a ) { table 0.5, 0.5; }\n"
READERS = {
    "graph.json": (a_graph, CausalGraph.from_json),
    "graph.npz": (a_graph, CausalGraph.from_npz),
    "graph.dot": (text(GRAPH.to_dot()), read_graph),
    "graph.graphml": (text(GRAPH.to_graphml()), read_graph),
    "net.bif": (text(NET), BayesianNetwork.read),
    "talk.jsonl": (a_transcript, ReplayExpert),
    "sheet.csv": (a_sheet, lambda path: HumanExpert(path).answer([QUESTION])),
    "review.csv": (text("u,v,verdict,comment\na,b,->,\nb,c,none,\"well, no\"\n"), read_review_sheet),
    "variables.json": (text('[{"name": "a", "description": "A"}, "b"]'), read_variables),
    "variables.yaml": (text("a: first\nb: {description: second}\n"), read_variables),
    "answers.jsonl": (text(json.dumps(PUBLISHED) + "\n"), read_published),
    "events.csv": (text("sequence,event\n1,a\n1,b\n2,a\n"), EventLog.from_csv),
    "events.json": (text('[["a", "b"], ["b"]]'), EventLog.from_json),
    "cake.csv": (text(",premise,choice1,choice2,label,question\n0,p,q,r,1,cause\n"), lambda path: load_cold("cake", path)),
    "ice.csv": (text(",a,b\na,0,1\nb,0,0\n"), load_arctic_sea_ice),
    "pain.json": (text('{"nodes": [{"id": "a"}, {"id": "b"}], "links": [{"source": "a", "target": "b"}]}'), load_neuropathic_pain),
}  # fmt: skip
PIECES = [b"\0", b"\xff\xfe", b"\xc3", b'"', b",", b"\n", b"{", b"}", b"[" * 50, b"]", b"9" * 30, b"-", b"null", b"1e999", b"NaN", b":", b"\\", b"'", b"true", b"\x1b", b"\r", b"*a", b"&a "]  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_whole_files_are_read(name, tmp_path):
    """Without this, the others would show nothing."""
    write, read = READERS[name]
    write(tmp_path / name)
    assert read(tmp_path / name) is not None


@pytest.mark.parametrize("name", READERS)
@settings(deadline=None, max_examples=25 * FUZZ, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_broken_files_give_a_result_or_our_error(name, tmp_path, data):
    write, read = READERS[name]
    whole, path = tmp_path / f"whole{Path(name).suffix}", tmp_path / name
    if not whole.exists():
        write(whole)
    content = whole.read_bytes()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        end = min(len(content), at + data.draw(st.integers(0, 40)))
        new = data.draw(st.sampled_from([*PIECES, b"", content[at:end] * 2]))
        content = content[:at] + new + content[data.draw(st.sampled_from([at, end])) :]
    path.write_bytes(content)
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            read(path)
        except CausalKitError:
            pass
    assert time.process_time() - began < 10


HUGE = {
    "graph.json": '{"format": "causalkit-graph", "version": 1, "kind": "DAG", "nodes": ' + "[" * 100_000,
    "talk.jsonl": '{"causalkit_transcript": ' + "[" * 100_000 + "\n",
    "answers.jsonl": '{"pair_id": ' + "[" * 100_000,
    "events.json": "[" * 100_000,
    "events.csv": 'sequence,event\n1,"' + "x" * 200_000 + '"\n',
    "cake.csv": ',premise,choice1,choice2,label,question\n0,"' + "x" * 200_000 + '",q,r,1,cause\n',
    "review.csv": 'u,v,verdict\na,b,"' + "x" * 200_000 + '"\n',
    "pain.json": "[" * 100_000,
    "variables.json": "[" * 100_000,
    "variables.yaml": "[" * 1000,
}  # fmt: skip


@pytest.mark.parametrize("name", HUGE)
def test_nested_and_long_entries(name, tmp_path):
    """What the parsers of the standard library cannot hold is an error of ours."""
    path = tmp_path / name
    path.write_text(HUGE[name])
    with pytest.raises(CausalKitError):
        READERS[name][1](path)


@pytest.mark.parametrize("name", READERS)
def test_a_folder_and_nothing(name, tmp_path):
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "nowhere"):
        if name == "sheet.csv" and path.name == "nowhere":
            continue
        with pytest.raises((CausalKitError, OSError), match="folder|nowhere"):
            READERS[name][1](path)
