"""A small hub on loopback: the part of the hub's HTTP interface that its client needs to list and fetch files."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest


@dataclass
class LoopbackHub:
    """Serves `repos` and `datasets` (id → folder); ids in `gated` are refused.

    `fetched` lists what was downloaded, as id/file; `cards` holds what the cards of data sets say.
    """

    url: str
    repos: dict[str, Path] = field(default_factory=dict)
    datasets: dict[str, Path] = field(default_factory=dict)
    cards: dict[str, dict[str, object]] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    fetched: list[str] = field(default_factory=list)

    def commit(self, repo: str) -> str:
        return hashlib.sha1(repo.encode()).hexdigest()


@contextmanager
def serve_hub() -> Iterator[LoopbackHub]:
    """Run a hub until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, body: bool) -> None:
            parts = unquote(urlsplit(self.path).path).strip("/").split("/")
            api = parts[:1] == ["api"]
            kind = parts[1] if api else "datasets" if parts[0] == "datasets" else "models"
            if not api and kind == "datasets":
                parts = parts[1:]
            repo = "/".join(parts[2:4] if api else parts[:2])
            repos = hub.datasets if kind == "datasets" else hub.repos
            if repo not in repos:
                return self.send(401, {"X-Error-Code": "RepoNotFound"}, b"{}", body)
            folder = repos[repo]
            files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
            if api and parts[4:5] == ["tree"]:
                tree = [self.entry(folder, name) for name in files]
                return self.send(200, {}, json.dumps(tree).encode(), body)
            if api:
                siblings = [{"rfilename": name, "size": (folder / name).stat().st_size} for name in files]
                info = {"id": repo, "sha": hub.commit(repo), "siblings": siblings}
                if kind == "datasets":
                    info["cardData"] = hub.cards.get(repo, {})
                return self.send(
                    200, {}, json.dumps(info | {"private": False, "tags": [], "downloads": 0}).encode(), body
                )
            if repo in hub.gated:
                return self.send(403, {"X-Error-Code": "GatedRepo", "X-Error-Message": "gated"}, b"{}", body)
            name = "/".join(parts[4:])
            if name not in files:
                return self.send(404, {"X-Error-Code": "EntryNotFound"}, b"{}", body)
            if body:
                hub.fetched.append(f"{repo}/{name}")
            etag = self.entry(folder, name)["oid"]
            headers = {"ETag": f'"{etag}"', "X-Repo-Commit": hub.commit(repo)}
            return self.send(200, headers, (folder / name).read_bytes(), body)

        def entry(self, folder: Path, name: str) -> dict[str, object]:
            data = (folder / name).read_bytes()
            return {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}

        def send(self, status: int, headers: dict[str, str], data: bytes, body: bool) -> None:
            self.send_response(status)
            for key, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            if body:
                self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub = LoopbackHub(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def point_client(patch: pytest.MonkeyPatch, url: str, cache: Path) -> None:
    """Point the hub's client, in this process and in those it starts, at `url` with an empty cache."""
    from huggingface_hub import constants

    patch.setenv("HF_ENDPOINT", url)
    patch.setenv("HF_HUB_OFFLINE", "0")
    patch.setenv("HF_HOME", str(cache))
    patch.setenv("HF_HUB_CACHE", str(cache / "hub"))
    patch.setattr(constants, "ENDPOINT", url)
    patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
    patch.setattr(constants, "HF_HUB_OFFLINE", False)
    patch.setattr(constants, "HF_HUB_CACHE", str(cache / "hub"))
    patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
