"""A Podium over REST, for the commands of people and scripts. Knows the wire shapes only: no table, no service.

Where it is and who asks: PODIUM_URL and PODIUM_TOKEN; without them the Podium that runs on this machine's data folder,
with the token that its `podium up` keeps there for the folder's owner.
"""

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, BinaryIO

import httpx2

from backend import owner
from backend.errors import (
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NoSpace,
    NotFound,
    PodiumError,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from backend.settings import Settings

Json = dict[str, Any]
Advance = Callable[[int], None]
# Rows and the share of the file that are stored; then judgments in the ratings, and how many go there.
Stored = Callable[[int, float, int, int], None]

KINDS: dict[int, type[PodiumError]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    413: TooLarge,
    507: NoSpace,
    429: TooMany,
    503: Unavailable,
}
PIECE = 1 << 20
LINES = "application/x-ndjson"
TRIES = 4
ENDED = ("succeeded", "failed", "cancelled")


class Client:
    """One Podium. Errors that it answers with become ours again."""

    def __init__(self, settings: Settings) -> None:
        self.url, token = _address(settings)
        headers = {"Authorization": f"Bearer {token}", "User-Agent": "podium"}
        timeout = httpx2.Timeout(60.0, read=300.0)
        self._http = httpx2.Client(base_url=f"{self.url}/api/v1/", headers=headers, timeout=timeout)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def get(self, path: str, **query: object) -> Any:
        """The JSON at an address below /api/v1."""
        return self._json("GET", path, params=_given(query))

    def post(self, path: str, body: object = None, **query: object) -> Any:
        """What a POST of a JSON body answers."""
        return self._json("POST", path, json=body, params=_given(query))

    def patch(self, path: str, body: object) -> Any:
        """What a PATCH with a JSON body answers."""
        return self._json("PATCH", path, json=body)

    def pages(self, path: str, **query: object) -> Iterator[Json]:
        """Every item of a list, page after page."""
        after = None
        while True:
            page = self.get(path, **query, after=after)
            yield from page["items"]
            after = page.get("next")
            if after is None:
                return

    def send_file(self, path: str, file: BinaryIO, size: int, advance: Advance, **query: object) -> Any:
        """POST a file as it is."""
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        # The answer comes when every line is stored.
        timeout = httpx2.Timeout(60.0, read=3600.0)
        return self._json(
            "POST", path, content=_pieces(file, advance), headers=headers, params=_given(query), timeout=timeout
        )

    def import_file(
        self, project: str, file: BinaryIO, size: int, sent: Advance, stored: Stored, **query: object
    ) -> Json:
        """Send a file into a project: `sent` gets bytes on their way, `stored` how far it is since then; the report.
        Broken off, the same file sent again goes on from where it was."""
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size), "Accept": LINES}
        # A step takes seconds, unless somebody else imports into the project as well.
        options = {"headers": headers, "params": _given(query), "timeout": httpx2.Timeout(60.0, read=3600.0)}
        with self._answer("POST", f"projects/{project}/imports", content=_pieces(file, sent), **options) as answer:
            for line in answer.iter_lines():
                said = json.loads(line)
                if "report" in said:
                    report: Json = said["report"]
                    return report
                stored(said["read"], said["share"], said["rated"], said["to_rate"])
        raise Unavailable("The Podium stopped in the middle of the file. Send it again: what is in already stays.")

    def read_file(self, path: str, **query: object) -> Iterator[bytes]:
        """GET a file, in pieces."""
        with self._answer("GET", path, params=_given(query)) as answer:
            yield from answer.iter_bytes()

    def read_rest(self, path: str, start: int, version: str) -> Iterator[bytes]:
        """A file from a byte on; from its beginning when it is no longer this version."""
        headers = {"Range": f"bytes={start}-", "If-Range": version} if start else {}
        with self._answer("GET", path, headers=headers) as answer:
            if start and answer.status_code != 206:
                raise Conflict("The file has changed since its first part was fetched.")
            yield from answer.iter_raw()

    def _json(self, method: str, path: str, **options: Any) -> Any:
        with self._answer(method, path, **options) as answer:
            body = answer.read()
            return json.loads(body) if body else None

    @contextlib.contextmanager
    def _answer(self, method: str, path: str, **options: Any) -> Iterator[httpx2.Response]:
        try:
            with self._http.stream(method, path, **options) as answer:
                if not answer.is_success:
                    answer.read()
                    raise _error(answer)
                yield answer
        except httpx2.TransportError as error:
            raise Unavailable(f"The Podium at {self.url} does not answer: {error or type(error).__name__}.") from None


def _address(settings: Settings) -> tuple[str, str]:
    running = owner.owner_of(settings)
    here = running.get("url") if running else None
    url = settings.url or here
    if url is None:
        raise Unavailable(
            f"No Podium runs on the data folder {settings.data_dir}. Start one with `podium up`, or set PODIUM_URL and "
            "PODIUM_TOKEN."
        )
    token = settings.token or (owner.local_token(settings) if url == here else None)
    if token is None:
        raise Unauthenticated(f"PODIUM_TOKEN is not set; the Podium at {url} asks for one. See `podium token create`.")
    return url, token


def _pieces(file: BinaryIO, advance: Advance) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        yield piece
        advance(len(piece))


def _given(query: dict[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in query.items() if value is not None}


def _error(answer: httpx2.Response) -> PodiumError:
    try:
        body = answer.json()
        message, field = str(body["detail"]), body.get("field")
    except (ValueError, KeyError, TypeError):
        message, field = f"The Podium answered {answer.status_code} {answer.reason_phrase}.", None
    return KINDS.get(answer.status_code, Invalid)(message, field)


# What takes more than one request


def find_project(client: Client, wanted: str) -> str | None:
    """The slug of a project given by id, slug or name."""
    for project in client.pages("projects", limit=200):
        if wanted in (project["slug"], project["id"], project["name"]):
            return str(project["slug"])
    return None


def follow(client: Client, run: str, show: Callable[[Json, Json | None], None], every_s: float = 1.0) -> Json:
    """Watch a run until it ends; `show` gets it, and its newest metrics when there are new ones, about every second."""
    after = -1
    while True:
        state: Json = client.get(f"runs/{run}")
        newest = None
        while (page := client.get(f"runs/{run}/metrics", after=after))["items"]:
            newest, after = page["items"][-1], page["next_after"]
        show(state, newest)
        if state["state"] in ENDED:
            return state
        time.sleep(every_s)


def save_curves(client: Client, run: str, folder: Path) -> Path:
    """Write the numbers of a run as an event file into a folder of its own, which TensorBoard takes for its name."""
    about: Json = client.get(f"runs/{run}")
    name = re.sub(r"[^\w.-]+", "-", about["name"]).strip("-.")
    place = folder / f"{name}-{about['id'][-6:]}"
    place.mkdir(parents=True, exist_ok=True)
    target = place / "events.out.tfevents.podium"
    part = target.with_name("part")
    with open(part, "wb") as opened:
        for piece in client.read_file(f"runs/{about['id']}/tensorboard"):
            opened.write(piece)
    os.replace(part, target)
    return target


def pull(client: Client, name: str, revision: str | None, folder: Path, advance: Advance) -> Json:
    """Fetch the files of a checkpoint that are not there yet, each checked against its hash, from where it stopped."""
    if name.count("/") != 1:
        raise Invalid(f"A checkpoint is named namespace/name, and this is {name}.")
    checkpoint: Json = client.get(f"checkpoints/by-name/{name}", revision=revision)
    for file in checkpoint["files"]:
        _fetch(client, f"checkpoints/{checkpoint['id']}/files/{file['path']}", file, folder, advance)
    return checkpoint


def _fetch(client: Client, path: str, file: Json, folder: Path, advance: Advance) -> None:
    target = folder / _inside(file["path"])
    if target.exists() and target.stat().st_size == file["size"] and _digest(target) == file["sha256"]:
        advance(file["size"])
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    for attempt in range(TRIES):
        start = part.stat().st_size if part.exists() else 0
        if start > file["size"]:
            part.unlink()
            start = 0
        try:
            if start < file["size"] or not part.exists():
                _append(part, client.read_rest(path, start, f'"{file["sha256"]}"'), advance)
        except (Unavailable, Conflict):
            if attempt == TRIES - 1:
                raise
            time.sleep(2**attempt)
            continue
        if _digest(part) == file["sha256"]:
            os.replace(part, target)
            return
        part.unlink()
    raise Unavailable(f"{file['path']} arrived damaged {TRIES} times.")


def _append(part: Path, pieces: Iterable[bytes], advance: Advance) -> None:
    with open(part, "ab") as opened:
        for piece in pieces:
            opened.write(piece)
            advance(len(piece))


def _inside(path: str) -> PurePosixPath:
    """A path that stays in the folder, whatever the server says."""
    found = PurePosixPath(path)
    if found.is_absolute() or ".." in found.parts or not found.parts:
        raise Invalid(f"The checkpoint names a file outside its folder: {path}.")
    return found


def _digest(file: Path) -> str:
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
