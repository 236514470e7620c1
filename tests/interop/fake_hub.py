"""A hub on this machine: as much of its HTTP interface as an upload and a download by the real client ask."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SHA = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """What was stored, and how it was asked for."""

    def __init__(self) -> None:
        self.url = ""
        self.cards: list[str] = []
        self.created: list[dict[str, Any]] = []
        self.commits: list[dict[str, Any]] = []
        self.files: dict[str, dict[str, bytes]] = {}
        self.refuse = False


@contextmanager
def fake_hub() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def reply(self, content: bytes, status: int = 200, **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def json(self, value: Any, status: int = 200) -> None:
            self.reply(json.dumps(value).encode(), status, Content_Type="application/json")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if hub.refuse:
                self.json({"error": "not yours"}, 403)
            elif self.path == "/api/validate-yaml":
                hub.cards.append(json.loads(body)["content"])
                self.json({"errors": [], "warnings": []})
            elif self.path == "/api/repos/create":
                hub.created.append(json.loads(body))
                self.json({"url": f"{hub.url}/user/mine"})
            elif "/preupload/" in self.path:
                files = [
                    {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for one in json.loads(body)["files"]
                ]
                self.json({"files": files})
            elif found := re.match(r"/api/models/([^/]+/[^/]+)/commit/(.+)", self.path):
                lines = [json.loads(line) for line in body.splitlines() if line]
                hub.commits.append(lines[0]["value"])
                hub.files[found[1]] = {
                    line["value"]["path"]: base64.b64decode(line["value"]["content"]) for line in lines[1:]
                }
                self.json(
                    {"commitUrl": f"{hub.url}/{found[1]}/commit/{SHA}", "commitOid": SHA, "success": True}
                )
            else:
                self.json({"error": f"no {self.path}"}, 404)

        def do_GET(self) -> None:
            if found := re.match(r"/api/models/([^/]+/[^/]+)/(?:revision|tree)/", self.path):
                names = sorted(hub.files.get(found[1], {}))
                if "/tree/" in self.path:
                    sized = hub.files[found[1]]
                    self.json([{"type": "file", "path": n, "size": len(sized[n]), "oid": n} for n in names])
                else:
                    self.json(
                        {"id": found[1], "sha": SHA, "siblings": [{"rfilename": name} for name in names]}
                    )
            elif found := re.match(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", self.path):
                content = hub.files.get(found[1], {}).get(found[2])
                if content is None:
                    self.reply(b"", 404, X_Error_Code="EntryNotFound")
                else:
                    etag = f'"{hashlib.sha1(content).hexdigest()}"'
                    self.reply(content, ETag=etag, X_Repo_Commit=SHA)
            else:
                self.json({"error": f"no {self.path}"}, 404)

        def do_HEAD(self) -> None:
            self.do_GET()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
