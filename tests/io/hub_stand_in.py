"""A stand-in for the Hugging Face hub on this machine: what upload and download use of its API.

Repositories, of models and of datasets, are dictionaries from file names to bytes, with one commit
each.
"""

import base64
import hashlib
import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class HubStandIn(ThreadingHTTPServer):
    """Serves until it is closed. `repositories`: contents by id; `private` ones need `token`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.private: set[str] = set()
        self.token = "hf_secret"
        self.revisions = {"main", COMMIT}
        self.url = f"http://127.0.0.1:{self.server_port}"
        Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server: HubStandIn

    def log_message(self, *arguments: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            if not self._may():
                return self._send(401, {"error": "no token"})
            self.server.repositories.setdefault(name, {})
            if asked.get("visibility") == "private" or asked.get("private"):
                self.server.private.add(name)
            return self._send(200, {"url": f"{self.server.url}/{name}"})
        if "/preupload/" in self.path:
            files = [file["path"] for file in json.loads(body)["files"]]
            modes = [
                {"path": path, "uploadMode": "regular", "shouldIgnore": False} for path in files
            ]
            return self._send(200, {"files": modes})
        if self.path == "/api/validate-yaml":
            return self._send(200, {"errors": [], "warnings": []})
        path = self.path.partition("?")[0]
        match = re.fullmatch(r"/api/(?:models|datasets)/([^/]+/[^/]+)/commit/main", path)
        if match:
            for line in body.splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    content = base64.b64decode(entry["value"]["content"])
                    self.server.repositories[match[1]][entry["value"]["path"]] = content
            url = f"{self.server.url}/{match[1]}/commit/{COMMIT}"
            return self._send(200, {"commitOid": COMMIT, "commitUrl": url})
        return self._send(404, {"error": self.path})

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        kinds, more = "(?:models|datasets)", "(?:/(revision|tree)/([^/]+))?"
        match = re.fullmatch(rf"/api/{kinds}/([^/]+/[^/]+){more}", path)
        if match and self._there(match[1], match[3] or "main"):
            files = self.server.repositories[match[1]]
            if match[2] == "tree":
                found = [
                    {"type": "file", "path": name, "size": len(content), "oid": _digest(content)}
                    for name, content in files.items()
                ]
                return self._send(200, found)
            siblings = [{"rfilename": name} for name in files]
            info = {"id": match[1], "sha": COMMIT, "siblings": siblings}
            return self._send(200, info | {"private": match[1] in self.server.private})
        return None if match else self._file(path)

    do_HEAD = do_GET

    def _file(self, path: str) -> None:
        match = re.fullmatch(r"(?:/datasets)?/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        if match is None:
            return self._send(404, {"error": path})
        if not self._there(match[1], match[2]):
            return None
        content = self.server.repositories[match[1]].get(match[3])
        if content is None:
            return self._send(404, {}, {"X-Error-Code": "EntryNotFound"})
        headers = {"ETag": f'"{_digest(content)}"', "X-Repo-Commit": COMMIT}
        return self._send(200, content, headers)

    def _there(self, name: str, revision: str) -> bool:
        if name not in self.server.repositories:
            self._send(404, {}, {"X-Error-Code": "RepoNotFound"})
        elif name in self.server.private and not self._may():
            self._send(403, {}, {"X-Error-Code": "GatedRepo"})
        elif revision not in self.server.revisions:
            self._send(404, {}, {"X-Error-Code": "RevisionNotFound"})
        else:
            return True
        return False

    def _may(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {self.server.token}"

    def _send(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _digest(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()
