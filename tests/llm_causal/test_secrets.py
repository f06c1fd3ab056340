"""A planted key is looked for in everything that a run writes, prints, raises or shows."""

from __future__ import annotations

import base64
import html
import json
import stat
import traceback
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalkit._store import KEY, like_a_key, redact, secret_entries
from causalkit.exceptions import CausalKitError, ParameterError
from causalkit.llm_causal import (
    ChatExpert,
    GraphBuilder,
    HumanExpert,
    Question,
    Transcript,
    Variable,
    from_callable,
)

from .server import Fails, Script, completion, says, serving

SECRET = 'zq7/Wk+pl4nted=9Xy"<&'
WAYS = {
    "plain": SECRET,
    "json": json.dumps(SECRET)[1:-1],
    "twice": json.dumps(json.dumps(SECRET))[3:-3],
    "unicode": "".join(f"\\u{ord(c):04x}" for c in SECRET),
    "hex": "".join(f"\\x{ord(c):02X}" for c in SECRET),
    "html": html.escape(SECRET),
    "entities": "".join(f"&#{ord(c)};" for c in SECRET),
    "hex entities": "".join(f"&#x{ord(c):X};" for c in SECRET),
    "url": quote(SECRET, safe=""),
    "lower url": quote(SECRET, safe="").replace("%2F", "%2f"),
    "base 64": base64.b64encode(SECRET.encode()).decode(),
    "repr": repr(SECRET)[1:-1],
}


@pytest.fixture(autouse=True)
def planted(monkeypatch):
    monkeypatch.setenv("MY_API_KEY", SECRET)


def is_in(text):
    """Whether the secret, or a telling part of it, is in a text in any of these ways."""
    return any(way in text or way[: len(way) // 2] in text for way in WAYS.values())


@pytest.mark.parametrize("way", WAYS)
def test_a_key_is_found_however_it_is_written(way):
    text = f"before {WAYS[way]} after"
    assert redact(text) == f"before {KEY} after"


@given(
    st.text(
        alphabet=st.characters(codec="utf-8", exclude_categories=("Cc",), exclude_characters="&\\%"),
        min_size=8,
        max_size=30,
    )
)
def test_any_key_is_found(secret):
    for text in (secret, json.dumps(secret)[1:-1], quote(secret, safe=""), html.escape(secret)):
        assert redact(f"<{text}>", secret) in (f"<{KEY}>", f"<{text}>" if text == KEY else f"<{KEY}>")


@pytest.mark.parametrize(
    "text",
    ["sk-proj-abcdefghijkl1234", "hf_abcdefghijklmnop", "Authorization: Bearer abcdefgh12345", "https://me:pa55word@host/v1",
     'api_key="abcdefgh1"', "?access_token=abcdefgh1", "eyJhbGciOiJI.eyJzdWIiOiIx.abc"],
)  # fmt: skip
def test_what_has_the_form_of_a_key(text):
    assert KEY in redact(text)


@pytest.mark.parametrize("text", ["max_tokens=12345678", "the key idea is that smoking causes tar", "v1/chat/completions", "risk-assessment-of-patients"])  # fmt: skip
def test_what_has_not_stays(text):
    assert redact(text) == text


def written_by(action, folder, capsys):
    """Return everything that an action writes, prints and raises."""
    found = []
    try:
        found.append(repr(action()))
    except CausalKitError as error:
        found.append("".join(traceback.format_exception(error)))
    printed = capsys.readouterr()
    found += [printed.out, printed.err]
    for path in folder.rglob("*"):
        if path.is_file():
            found.append(path.read_bytes().decode("utf-8", "replace"))
    return "\n".join(found)


@pytest.mark.parametrize("way", ["plain", "unicode", "html", "base 64"])
def test_a_server_that_echoes_the_key(way, tmp_path, capsys):
    echo = WAYS[way]

    def step(body):
        return {
            **completion(json.dumps({"reasoning": f"my key is {echo}", "answer": "A", "confidence": 0.9})),
            "model": f"m {echo}",
        }

    def run(script):
        with serving(script) as url:
            expert = ChatExpert(
                "m", base_url=url, api_key_env="MY_API_KEY", max_retries=0, cache=tmp_path / "replies.db"
            )
            question = Question("orient", ("a", "b"), given=(Variable("a"), Variable("b")))
            (answer,) = expert.answer([question])
            transcript = Transcript([Variable("a"), Variable("b")], tmp_path / "talk.jsonl")
            transcript.add(answer, "direction", expert.exchange(question))
            return expert, answer, expert.exchange(question), expert.preview(question), expert.name

    texts = [
        written_by(lambda: run(Script(step)), tmp_path, capsys),
        written_by(
            lambda: run(Script(Fails(401, body=json.dumps({"error": {"message": f"bad {echo}"}})))),
            tmp_path,
            capsys,
        ),
        written_by(lambda: run(Script(Fails(500, body=f"oops {echo}"))), tmp_path, capsys),
        written_by(lambda: run(Script(lambda body: f"no json {echo}".encode())), tmp_path, capsys),
    ]
    for text in texts:
        assert not is_in(text)
    assert KEY in texts[0]


def test_a_function_that_raises_and_returns_the_key(tmp_path, capsys):
    def raising(messages):
        raise RuntimeError(f"401 for key {SECRET}")

    def telling(messages):
        return json.dumps({"reasoning": SECRET, "answer": "A", "confidence": 0.9})

    for function in (raising, telling):

        def run(function=function):
            expert = from_callable(function, name="f", cache=tmp_path / "replies.db")
            builder = GraphBuilder(["a", "b"], expert=expert, transcript=tmp_path / "talk.jsonl")
            result = builder.run()
            result.save(tmp_path / "report.html")
            return result, result.to_markdown()

        assert not is_in(written_by(run, tmp_path, capsys))


@pytest.mark.parametrize(
    "url",
    ["http://me@127.0.0.1/v1", "http://me:pw@127.0.0.1/v1", "http://127.0.0.1/v1?key=abc", "http://127.0.0.1/v1#abc",
     "http://127.0.0.1/t/a8f5f167f44f4964e6c998dee827110c/v1"],
)  # fmt: skip
def test_addresses_that_hold_a_key_are_refused(url):
    with pytest.raises(ParameterError, match="would stand in receipts") as error:
        ChatExpert("m", base_url=url)
    assert "abc" not in str(error.value)
    assert "a8f5" not in str(error.value)


@pytest.mark.parametrize(
    "options",
    [{"api_key": "abc"}, {"extra_headers": {"Authorization": "abc"}}, {"extra_body": {"auth": {"token": "abc"}}}, {"user": SECRET},
     {"extra_body": [{"x": "sk-abcdefghijklmnop"}]}],
)  # fmt: skip
def test_requests_that_hold_a_key_are_refused(options):
    with pytest.raises(ParameterError, match="would stand in transcripts"):
        ChatExpert("m", base_url="http://127.0.0.1/v1", request_options=options)


def test_requests_without_one_are_not():
    options = {
        "temperature": 0,
        "max_tokens": 9,
        "extra_body": {"top_k": 3, "stop_token_ids": [1]},
        "logit_bias": {"17": 1},
    }
    assert list(secret_entries(options)) == []
    assert not like_a_key("completions")
    assert not like_a_key("openai-compatible-gateway")


def test_files_with_words_of_others_are_private(tmp_path):
    with serving(Script(says("a"))) as url:
        expert = ChatExpert(
            "m", base_url=url, api_key_env="MY_API_KEY", max_retries=0, cache=tmp_path / "replies.db"
        )
        expert.answer([Question("orient", ("a", "b"), given=(Variable("a"), Variable("b")))])
    Transcript([Variable("a")], tmp_path / "talk.jsonl")
    HumanExpert(tmp_path / "sheet.csv").answer([Question("orient", ("a", "b"))])
    for name in ("replies.db", "talk.jsonl", "sheet.csv"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600, name
