"""A server on this machine that speaks the protocol of chat completions, and misbehaves as its script says."""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Script:
    """Steps, one per request; the last one is repeated. Keeps every request, with its headers, and how many came at a time."""

    def __init__(self, *steps):
        self.steps, self.bodies, self.headers = list(steps), [], []
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()

    def next(self, body, headers):
        with self.lock:
            self.bodies.append(body)
            self.headers.append(headers)
            return self.steps[min(len(self.bodies), len(self.steps)) - 1]


def letter_of(body, phrase):
    """Find the letter of the option that contains a phrase in the last question."""
    text = body["messages"][1]["content"]
    return next(m[1] for m in re.finditer(r"^([A-Z])\. (.*)$", text, re.MULTILINE) if phrase in m[2])


def completion(content, usage=(50, 20), **message):
    """A reply of the usual form."""
    reply = {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "scripted",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": content, **message},
            }
        ],
    }
    if usage:
        reply["usage"] = {
            "prompt_tokens": usage[0],
            "completion_tokens": usage[1],
            "total_tokens": sum(usage),
        }
    return reply


def says(phrase, confidence=0.8, **more):
    """A step: choose the option with this phrase."""

    def step(body):
        return completion(
            json.dumps({"reasoning": "because", "answer": letter_of(body, phrase), "confidence": confidence}),
            **more,
        )

    return step


def text(content, **more):
    """A step: reply with this text."""
    return lambda _: completion(content, **more)


class Fails:
    """A step: an error of HTTP."""

    def __init__(self, status, headers=None, body='{"error": {"message": "scripted"}}'):
        self.status, self.headers, self.body = status, headers or {}, body


class Slow:
    """A step: wait, then do another."""

    def __init__(self, seconds, then, *, trickle=False):
        self.seconds, self.then, self.trickle = seconds, then, trickle


@contextmanager
def serving(script):
    """Yield the base URL of a server that follows a script."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            """Say nothing."""

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            step = script.next(body, {k.lower(): v for k, v in self.headers.items()})
            with script.lock:
                script.at_once += 1
                script.most_at_once = max(script.most_at_once, script.at_once)
            try:
                self.follow(step, body)
            finally:
                with script.lock:
                    script.at_once -= 1

        def follow(self, step, body):
            trickle = 0.0
            if isinstance(step, Slow):
                trickle = step.seconds if step.trickle else 0.0
                time.sleep(0 if step.trickle else step.seconds)
                step = step.then
            if isinstance(step, Fails):
                return self.send(step.status, step.body.encode(), step.headers)
            content = step(body)
            raw = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
            return self.send(200, raw, {}, trickle)

        def send(self, status, raw, headers, trickle=0.0):
            try:
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                parts = [raw] if not trickle else [raw[k : k + 40] for k in range(0, len(raw), 40)]
                for part in parts:
                    self.wfile.write(part)
                    self.wfile.flush()
                    time.sleep(trickle)
            except OSError:
                """The client has gone, as where it did not wait."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
