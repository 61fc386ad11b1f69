"""Speed and memory of imports and exports on this machine.

    python -m benchmarks.files [--judgments 1000000]

A file of judgments (20 a prompt, 4 answers of 40 words to each, 200 models, 200 annotators, in random order) goes
into an empty project through the API, and comes out in each format and layout, as a client would send and fetch it.
Printed: seconds, judgments a second, the largest memory of the API process, and how long annotators' requests took
while the import ran. The same file is sent again at the end, which must add nothing.

A Podium of its own is started for it, in a temporary folder. One JSON line for each measurement.
"""

import argparse
import contextlib
import json
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from backend.client import Client
from backend.settings import Settings
from backend.up import Podium
from benchmarks.annotating import a_podium, percentiles

WORDS = [
    "the",
    "of",
    "tea",
    "kettle",
    "water",
    "boils",
    "slowly",
    "while",
    "you",
    "wait",
    "and",
    "think",
    "about",
    "leaves",
    "in",
    "a",
    "warm",
    "pot",
    "today",
]
EXPORTS = [
    ("judgments", "jsonl", "podium"),
    ("judgments", "csv", "podium"),
    ("judgments", "parquet", "podium"),
    ("judgments", "parquet", "arena"),
    ("preferences", "jsonl", "podium"),
    ("preferences", "parquet", "trl"),
    ("preferences", "jsonl", "hh-rlhf"),
    ("completions", "parquet", "podium"),
]


def write(path: Path, judgments: int) -> None:
    """The file."""
    rng = random.Random(1)
    prompts = max(1, judgments // 20)
    with open(path, "w", encoding="utf-8") as file:
        for _ in range(judgments):
            prompt = rng.randrange(prompts)
            shown = rng.sample(range(4), 2)
            row = {
                "prompt": f"{prompt}: {text(prompt, 15)}",
                "completions": [{"model": f"m{(prompt + i) % 200}", "text": text(prompt * 4 + i, 40)} for i in shown],
                "ranks": rng.choice([[1, 2], [2, 1], [1, 1]]),
                "annotator": f"annotator {rng.randrange(200)}",
            }
            file.write(json.dumps(row) + "\n")


def text(seed: int, words: int) -> str:
    """The same words for the same seed."""
    rng = random.Random(seed)
    return " ".join(rng.choices(WORDS, k=words))


@contextlib.contextmanager
def watched(podium: Podium) -> Iterator[dict[str, float]]:
    """Seconds, and the largest memory of the API process in MB."""
    api = api_process(podium)
    seen: dict[str, float] = {"api_mb": 0.0}
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.05):
            seen["api_mb"] = max(seen["api_mb"], round(api.memory_info().rss / 1e6, 1))

    watching = threading.Thread(target=look)
    watching.start()
    began = time.perf_counter()
    try:
        yield seen
    finally:
        seen["seconds"] = round(time.perf_counter() - began, 2)
        ended.set()
        watching.join()


def api_process(podium: Podium) -> psutil.Process:
    """The one that listens."""
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if any(c.laddr.port == podium.settings.port and c.status == "LISTEN" for c in process.net_connections()):
                return process
    raise SystemExit("No process listens on the port of the API.")


@contextlib.contextmanager
def judging(client: Client, slug: str) -> Iterator[list[float]]:
    """Somebody asks for comparisons of the project all the while; milliseconds each."""
    times: list[float] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.wait(0.2):
            began = time.perf_counter()
            client.post(f"projects/{slug}/comparisons/next", count=1)
            times.append(1000 * (time.perf_counter() - began))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield times
    finally:
        ended.set()
        asking.join()


def send(client: Client, slug: str, path: Path) -> dict[str, Any]:
    """The report of the file."""
    with open(path, "rb") as file:
        return client.import_file(slug, file, path.stat().st_size, lambda _: None, lambda *_: None, filename=path.name)


def measure(podium: Podium, client: Client, judgments: int, folder: Path) -> None:
    """Every line that is printed."""
    path = folder / "judgments.jsonl"
    write(path, judgments)
    slug = client.post("projects", {"name": "Files"})["slug"]
    say = {"judgments": judgments, "file_mb": round(path.stat().st_size / 1e6)}
    with watched(podium) as seen, Client(podium.settings) as other, judging(other, slug) as times:
        report = send(client, slug, path)
    assert report["created"]["judgments"] == judgments, report
    rate = round(judgments / seen["seconds"])
    print(json.dumps({"measure": "import", **say, **seen, "per_s": rate, "asking": percentiles(times)}), flush=True)
    for what, format, layout in EXPORTS:
        size = 0
        with watched(podium) as seen:
            for piece in client.read_file(f"projects/{slug}/export", what=what, format=format, layout=layout):
                size += len(piece)
        about = {"what": what, "format": format, "layout": layout, "mb": round(size / 1e6, 1)}
        rate = round(judgments / seen["seconds"])
        print(json.dumps({"measure": "export", **about, **seen, "judgments_per_s": rate}), flush=True)
    with watched(podium) as seen:
        again = send(client, slug, path)
    made = sum(again["created"].values())
    print(json.dumps({"measure": "import again", **seen, "created": made, "repeated": again["repeated"]}), flush=True)


def main() -> None:
    """See the top of the file."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--judgments", type=int, default=1_000_000)
    judgments = options.parse_args().judgments
    with tempfile.TemporaryDirectory() as folder, a_podium() as podium:
        settings = Settings(url=podium.url, token=podium.token, port=podium.settings.port)
        with Client(settings) as client:
            measure(podium.__class__(settings, None), client, judgments, Path(folder))


if __name__ == "__main__":
    main()
