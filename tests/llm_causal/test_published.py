"""Published answers: the digits of the paper from the authors' files where they are here, and files of the same form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from causalkit.exceptions import DataError
from causalkit.llm_causal.published import (
    read_published,
    score_actual_causality,
    score_arctic,
    score_neuropathic,
    score_tuebingen,
)

FILES = Path(__file__).resolve().parents[3] / "shared" / "data" / "transcripts"
here = pytest.mark.skipif(not FILES.exists(), reason="the published files are not here")


@here
class TestDigits:
    def test_tuebingen(self):
        score = score_tuebingen(
            FILES / "tuebingen" / "gpt-4_single.jsonl", FILES / "tuebingen" / "pairmeta.txt"
        )
        assert (round(score.accuracy, 4), round(score.weighted, 4), score.total) == (0.9630, 0.9744, 108)

    def test_neuropathic(self):
        """456 answers are tagged right; one more, of 475, was cut off before its tag."""
        folder = FILES / "neuropathic_pain"
        score = score_neuropathic(folder / "gpt-4_pairs.jsonl", folder / "prompts.csv")
        untagged = [a for a in read_published(folder / "gpt-4_pairs.jsonl") if not a.choice]
        assert (score.right, score.total, len(untagged)) == (456, 475, 1)
        assert round((score.right + len(untagged)) / score.total, 4) == 0.9621

    @pytest.mark.parametrize(
        ("stories", "question", "right", "total"),
        [
            ("classic", "necessary", 13, 15),
            ("classic", "sufficient", 13, 15),
            ("lab", "necessary", 13, 14),
            ("lab", "sufficient", 11, 14),
        ],
    )
    def test_actual_causality(self, stories, question, right, total):
        folder = FILES / "actual_causality"
        truth = folder / ("groundtruth.csv" if stories == "classic" else "groundtruth_lab.csv")
        score = score_actual_causality(folder / f"gpt-4_{stories}.jsonl", truth, question)
        assert (score.right, score.total) == (right, total)

    @pytest.mark.parametrize(
        ("run", "n_edges", "distance", "ratio", "f1"),
        [(2, 26, 0.278, 0.54, 0.46), (1, 46, 0.2222, 0.34, 0.66)],
    )
    def test_arctic(self, run, n_edges, distance, ratio, f1):
        folder = FILES / "arctic_sea_ice"
        score = score_arctic(
            folder / f"gpt-4_run{run}.jsonl", folder / "variables.txt", folder / "expert_graph.csv"
        )
        assert score.n_edges == n_edges
        assert score.distance == pytest.approx(distance, abs=5e-4)
        assert (round(score.ratio, 2), round(score.f1, 2)) == (ratio, f1)


def record(name, text, prompt="A or B?"):
    return json.dumps(
        {
            "pair_id": name,
            "prompt": prompt,
            "result": {
                "choices": [{"message": {"content": text}}],
                "usage": {"prompt_tokens": 3, "completion_tokens": 4},
            },
        }
    )


class TestFiles:
    def test_the_last_tag_counts(self, tmp_path):
        (tmp_path / "a.jsonl").write_text(
            record("pair0001,", "<Answer>A</Answer> no: <answer> B </answer>") + "\n\n" + record("x", "none")
        )
        first, second = read_published(tmp_path / "a.jsonl")
        assert (first.name, first.choice, first.usage.tokens, second.choice) == ("pair0001", "B", 7, "")

    def test_direction_by_the_columns(self, tmp_path):
        (tmp_path / "a.jsonl").write_text(
            "\n".join(record(f"pair000{k},", f"<Answer>{c}</Answer>") for k, c in ((1, "A"), (2, "A")))
        )
        (tmp_path / "meta.txt").write_text("0001 1 1 2 2 1\n0002 2 2 1 1 3\n")
        score = score_tuebingen(tmp_path / "a.jsonl", tmp_path / "meta.txt")
        assert (score.accuracy, score.weighted) == (0.5, 0.25)
        (tmp_path / "meta.txt").write_text("0001 1 1 2 2 1\n")
        with pytest.raises(DataError, match="no pair 'pair0002'"):
            score_tuebingen(tmp_path / "a.jsonl", tmp_path / "meta.txt")

    def test_other_files(self, tmp_path):
        (tmp_path / "a.jsonl").write_text('{"pair_id": 1}\n')
        with pytest.raises(DataError, match="line 1 holds no published answer"):
            read_published(tmp_path / "a.jsonl")
        with pytest.raises(DataError, match="there is no file"):
            read_published(tmp_path / "none.jsonl")
        (tmp_path / "p.csv").write_text("pair_id\n")
        (tmp_path / "a.jsonl").write_text(record("x", "A"))
        with pytest.raises(DataError, match="no column 'groundtruth'"):
            score_neuropathic(tmp_path / "a.jsonl", tmp_path / "p.csv")
