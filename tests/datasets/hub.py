"""A server on this machine that speaks as much of the protocol of the Hugging Face hub as its own client needs, and can misbehave."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

SHA = "a" * 40


class FakeHub:
    """Files of one repository; counts bytes and requests, and can break a transfer once or send other bytes of the right length."""

    def __init__(self, repository, files):
        self.repository, self.files = repository, dict(files)
        self.sent, self.requests, self.ranges = 0, [], []
        self.break_after = None
        self.tampered = set()

    def digest(self, name):
        return hashlib.sha256(self.files[name]).hexdigest()

    def content(self, name):
        body = self.files[name]
        middle = len(body) // 2
        return (
            body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :] if name in self.tampered else body
        )

    def entries(self, folder):
        return [
            {
                "type": "file",
                "path": name,
                "size": len(body),
                "oid": self.digest(name)[:40],
                "lfs": {"oid": self.digest(name), "size": len(body), "pointerSize": 134},
            }
            for name, body in self.files.items()
            if name.startswith(folder)
        ]


def handler_for(hub):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body in one packet: in two, the client waits for the second.
        wbufsize = 1 << 16

        def log_message(self, *_arguments):
            pass

        def reply(self, code, body=b"", **headers):
            self.send_response(code)
            for key, value in headers.items():
                self.send_header(key.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                # Counted first: the client may have read all of it, and gone on, before this thread does.
                hub.sent += len(body)
                self.wfile.write(body)

        def as_json(self, content):
            self.reply(200, json.dumps(content).encode(), Content_Type="application/json")

        def do_POST(self):
            text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            asked = (
                json.loads(text)["paths"]
                if text.startswith("{")
                else [unquote(part.split("=", 1)[1]) for part in text.split("&") if part.startswith("paths")]
            )
            self.as_json([e for e in hub.entries("") if e["path"] in asked])

        def do_HEAD(self):
            self.do_GET()

        def do_GET(self):
            path = unquote(urlsplit(self.path).path)
            hub.requests.append((self.command, path))
            api = f"/api/datasets/{hub.repository}"
            if path == "/api/datasets":
                return self.as_json([{"id": hub.repository, "tags": [], "private": False}])
            if path in (api, f"{api}/revision/main", f"{api}/revision/{SHA}"):
                return self.as_json(
                    {
                        "id": hub.repository,
                        "sha": SHA,
                        "private": False,
                        "downloads": 0,
                        "tags": [],
                        "siblings": [],
                    }
                )
            for revision in ("main", SHA):
                if path.startswith(f"{api}/tree/{revision}"):
                    return self.as_json(hub.entries(path.removeprefix(f"{api}/tree/{revision}").lstrip("/")))
                start = f"/datasets/{hub.repository}/resolve/{revision}/"
                if path.startswith(start) and path.removeprefix(start) in hub.files:
                    return self.send_file(path.removeprefix(start))
            code = "RevisionNotFound" if path.startswith(api) else "RepoNotFound"
            return self.reply(404, b"{}", X_Error_Code=code)

        def send_file(self, name):
            body, headers = (
                hub.content(name),
                {
                    "ETag": f'"{hub.digest(name)}"',
                    "X_Linked_Etag": f'"{hub.digest(name)}"',
                    "X_Linked_Size": str(len(hub.files[name])),
                    "X_Repo_Commit": SHA,
                    "Accept_Ranges": "bytes",
                },
            )
            asked = self.headers.get("Range")
            if self.command == "GET" and hub.break_after is not None:
                part, hub.break_after = body[: hub.break_after], None
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                for key, value in headers.items():
                    self.send_header(key.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(part)
                self.wfile.flush()
                self.connection.close()
                return None
            if asked is None:
                return self.reply(200, body, **headers)
            first, _, last = asked.removeprefix("bytes=").partition("-")
            begin, end = int(first), int(last) if last else len(body) - 1
            hub.ranges.append((name, begin, end))
            part = body[begin : end + 1]
            return self.reply(
                206, part, Content_Range=f"bytes {begin}-{begin + len(part) - 1}/{len(body)}", **headers
            )

    return Handler


@contextmanager
def serving(hub):
    """Serve from a free port of this machine; yields the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_for(hub))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
