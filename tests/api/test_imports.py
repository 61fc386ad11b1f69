"""Imports over HTTP: how far it is, where it ends, and what is left of a file that cannot be taken."""

import contextlib
import json
import re
import shutil
import tempfile
from collections import namedtuple
from typing import Any

import anyio
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.requests import ClientDisconnect

from backend.api import imports
from backend.app import create_app
from backend.services import imports as reading
from backend.services.imports import STEP_RECORDS
from backend.settings import Settings

LINES = {"accept": "application/x-ndjson"}
V1 = "/api/v1"


@pytest.fixture
def address(admin: TestClient) -> str:
    """Where files go."""
    slug = admin.post(f"{V1}/projects", json={"name": "Files"}).json()["slug"]
    return f"{V1}/projects/{slug}/imports"


def prompts(number: int) -> bytes:
    return b"".join(json.dumps({"prompt": f"Question {i}"}).encode() + b"\n" for i in range(number))


def test_who_asks_hears_how_far_it_is(admin: TestClient, address: str):
    body = prompts(STEP_RECORDS + 10) + b"no JSON\n"
    answer = admin.post(address, content=body, headers=LINES)
    assert answer.headers["content-type"] == "application/x-ndjson"
    *steps, last = [json.loads(line) for line in answer.text.splitlines()]
    assert [step["read"] for step in steps][:2] == [STEP_RECORDS, STEP_RECORDS + 11]
    assert steps[-1]["share"] == 1 and steps[-1]["to_rate"] == 0
    report = last["report"]
    assert (report["created"]["prompts"], report["rejected_total"]) == (STEP_RECORDS + 10, 1)
    assert report["rejected"][0]["line"] == STEP_RECORDS + 11
    # The same answer for who does not ask, and nothing twice.
    again = admin.post(address, content=body).json()
    assert again["repeated"] == STEP_RECORDS + 10
    assert again["rejected"] == report["rejected"]


@pytest.mark.parametrize("asgi", ["2.0", "2.4"])
def test_who_goes_away_half_way_leaves_a_beginning_and_nothing_open(
    app: FastAPI, admin: TestClient, address: str, monkeypatch: pytest.MonkeyPatch, asgi: str
):
    """In the older way the server is told of it, in the newer one it cannot send."""
    monkeypatch.setattr(reading, "STEP_RECORDS", 10)
    spools: list[Any] = []
    spooled = tempfile.SpooledTemporaryFile

    def kept(*args: Any, **options: Any) -> Any:
        spools.append(spooled(*args, **options))
        return spools[-1]

    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", kept)
    body = prompts(1_000)
    heard: list[Any] = []
    gone = anyio.Event()
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        if waiting:
            return waiting.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        heard.append(message)
        if sum(one["type"] == "http.response.body" for one in heard) == 3:
            gone.set()
            if asgi == "2.4":
                raise OSError

    request = admin.build_request("POST", address, content=body, headers=LINES)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": asgi},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": request.url.path,
        "raw_path": request.url.raw_path,
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
    }

    async def ask() -> None:
        with contextlib.suppress(ClientDisconnect):
            await app(scope, receive, send)

    anyio.run(ask)
    assert spools and all(spool.closed for spool in spools)
    project = address.removesuffix("/imports")
    stored = admin.get(project).json()["counts"]["prompts"]
    assert 20 <= stored < 1_000
    assert admin.post(address, content=body).json()["created"]["prompts"] == 1_000 - stored


@pytest.mark.parametrize("headers", [LINES, {}])
def test_what_cannot_be_read_is_told_by_the_status(admin: TestClient, address: str, headers: dict[str, str]):
    answer = admin.post(address, content=b'{"nothing": 1}', headers=headers)
    assert answer.status_code == 422
    assert "'nothing'" in answer.json()["detail"]


@pytest.mark.parametrize("declared", [True, False])
def test_a_full_disk_is_told_before_it_is_full(
    admin: TestClient, address: str, settings: Settings, monkeypatch: pytest.MonkeyPatch, declared: bool
):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**12, 0, imports.KEEP_FREE + 1000))
    monkeypatch.setattr(imports, "IN_MEMORY", 2**20)
    body = prompts(60_000)
    pieces = (body[at : at + 2**16] for at in range(0, len(body), 2**16))
    answer = admin.post(address, content=body if declared else pieces)
    assert answer.status_code == 507
    assert "no room" in answer.json()["detail"]
    assert list(settings.imports_dir.iterdir()) == []
    # What is small needs no disk.
    assert admin.post(address, content=prompts(3)).status_code == 200


def test_files_are_as_large_as_the_setting_says(app: FastAPI, settings: Settings, admin: TestClient, address: str):
    small = create_app(settings.model_copy(update={"import_bytes": 3_000_000}), app.state.session_factory)
    client = TestClient(small, cookies=admin.cookies, headers=dict(admin.headers))
    assert client.post(address, content=b'{"prompt": "x"}' + b" " * 2_900_000).status_code == 200
    assert client.post(address, content=b'{"prompt": "x"}' + b" " * 3_000_000).status_code == 413


def test_few_files_at_a_time(app: FastAPI, admin: TestClient, anonymous: TestClient, address: str):
    app.state.import_gate.width = 0
    assert admin.post(address, content=prompts(1)).status_code == 429
    assert anonymous.post(address, content=prompts(1)).status_code == 401


def test_an_export_has_a_name_of_its_own_and_is_compressed_for_who_takes_it(admin: TestClient, address: str):
    admin.post(address, content=b'{"prompt": "Q", "model": "m", "completion": "A"}')
    export = address.replace("imports", "export?what=completions")
    packed = admin.get(export, headers={"accept-encoding": "gzip"})
    plain = admin.get(export, headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip" and "content-encoding" not in plain.headers
    assert packed.json()["completion"] == plain.json()["completion"] == "A"
    name = plain.headers["content-disposition"]
    assert re.fullmatch(r'attachment; filename="files-completions-\d{4}-\d\d-\d\d\.jsonl"', name)
    refused = admin.get(export + "&layout=trl")
    assert (refused.status_code, refused.json()["field"]) == (422, "layout")
