"""A Hub on this machine with one model, just enough of the protocol for `snapshot_download`."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def small_hub(repository: str, files: dict[str, bytes]) -> Iterator[str]:
    """Its address, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            if path in (f"/api/models/{repository}/revision/main", f"/api/models/{repository}/revision/{COMMIT}"):
                siblings = [{"rfilename": name} for name in files]
                self._json(200, {"id": repository, "sha": COMMIT, "siblings": siblings})
            elif path == f"/api/models/{repository}/tree/{COMMIT}":
                self._json(200, [self._entry(name) for name in files])
            elif path.startswith(f"/{repository}/resolve/{COMMIT}/") and path.rpartition(f"{COMMIT}/")[2] in files:
                self._file(files[path.rpartition(f"{COMMIT}/")[2]])
            else:
                missing = "RevisionNotFound" if f"/{repository}/" in path else "RepoNotFound"
                self._json(404, {"error": "not found"}, {"X-Error-Code": missing, "X-Error-Message": "not found"})

        do_HEAD = do_GET

        def _entry(self, name: str) -> dict[str, object]:
            digest = hashlib.sha256(files[name]).hexdigest()
            size = len(files[name])
            lfs = {"oid": digest, "size": size, "pointerSize": 130}
            return {"type": "file", "path": name, "size": size, "oid": digest[:40], "lfs": lfs}

        def _json(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
            self._send(status, json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})})

        def _file(self, content: bytes) -> None:
            digest = hashlib.sha256(content).hexdigest()
            self._send(200, content, {"ETag": f'"{digest}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"})

        def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
