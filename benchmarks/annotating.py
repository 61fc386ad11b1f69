"""Speed of the annotator's workplace on this machine, in a real browser and with a crowd.

    python -m benchmarks.annotating keys [--latency-ms 0 200] [--judgments 100] [--slow-down 1]
    python -m benchmarks.annotating storm [--judgments 100]
    python -m benchmarks.annotating crowd [--people 100] [--judgments 2000]

`keys`: Chromium judges with the keyboard; every round trip to the server takes `latency-ms` longer (Chromium's own
network emulation). Measured inside the page from the timestamp of the key to the first frame that shows the next
comparison, answers of about 200 words with tables, code and formulas. A pause between judgments is drawn at random,
0.3 to 1.2 s: no person reads faster, and the fetching ahead works as in life.

`storm`: the same keyboard while the network is cut and comes back, the server is killed (and started again by Podium)
and the tab is closed and opened again, each several times. Prints what was judged, what the database holds, and what is
there twice.

`crowd`: people, each with their own account, connection and thread of this process, ask and judge as fast as they are
answered. Prints judgments per second, percentiles of both requests, the fewest and most judgments of one person, and
what must be nothing: errors, sets judged more often than the overlap, and leases given twice.

A Podium of its own is started for it, in a temporary folder. One JSON line for each measurement.
"""

import argparse
import io
import json
import random
import signal
import socket
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import psutil
from playwright.sync_api import BrowserContext, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from sqlalchemy import select

from backend import checks, frontend
from backend.client import Client
from backend.database import make_engine
from backend.settings import Settings
from backend.tables import Comparison, Project
from backend.up import Podium, running

Json = dict[str, Any]
PASSWORD = "a long enough password"

ANSWER = """Sorting in place with *{name}* ({number}) is simple once the **invariant** is clear.

| step | compares | swaps |
| --- | --- | --- |
| first pass | {number} | {half} |
| second pass | {half} | 3 |

```python
def sort(items):
    for end in range(len(items) - 1, 0, -1):
        for i in range(end):
            if items[i] > items[i + 1]:
                items[i], items[i + 1] = items[i + 1], items[i]
    return items
```

The cost is $O(n^2)$ in the worst case, since $\\sum_{{i=1}}^{{n}} i = n(n+1)/2$.

""" + " ".join(["Each pass moves the largest of what is left to its end, so that the part behind it is sorted."] * 6)

# From the key to the first painted frame in which another comparison is on the screen.
MEASURE = """() => {
  window.keyToNext = [];
  const shown = () => [...document.querySelectorAll('article')]
    .find((one) => one.offsetParent !== null && one.querySelector('[data-answer]'))?.textContent ?? '';
  window.shownNow = shown;
  window.addEventListener('keydown', (event) => {
    const before = shown(), from = event.timeStamp;
    const look = () => {
      const now = shown();
      if (now === before || now === '') return requestAnimationFrame(look);
      const channel = new MessageChannel();
      channel.port1.onmessage = () => window.keyToNext.push(performance.now() - from);
      channel.port2.postMessage(null);
    };
    requestAnimationFrame(look);
  }, { capture: true });
}"""


@contextmanager
def a_podium() -> Iterator[Podium]:
    """A whole Podium in a folder of its own."""
    said: list[str] = []
    if not frontend.build(said.append):
        raise SystemExit("\n".join(said))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), port=port, sign_in_attempts_per_minute=10_000)
        with running(settings, said.append) as podium:
            yield podium


def a_study(client: Client, *, prompts: int, models: int = 2, overlap: int = 1) -> str:
    """The slug of a project with so many prompts, answered by so many models."""
    project = client.post("projects", {"name": f"Benchmark {uuid.uuid4().hex[:6]}", "overlap": overlap})
    rows = (
        {
            "prompt": f"Question {i}: how do I sort {i} things?",
            "model": f"bench/model-{m}",
            "completion": ANSWER.format(name=f"method {m}.{i}", number=i, half=i // 2),
        }
        for i in range(prompts)
        for m in range(models)
    )
    body = "".join(json.dumps(row) + "\n" for row in rows).encode()
    client.send_file(
        f"projects/{project['slug']}/imports", io.BytesIO(body), len(body), lambda sent: None, format="completions"
    )
    return str(project["slug"])


@contextmanager
def a_browser(podium: Podium, client: Client, name: str) -> Iterator[Callable[[], BrowserContext]]:
    """Chromium, and what opens a window in which a new annotator of this name is signed in."""
    program = checks.chromium()
    if program is None:
        raise SystemExit("There is no Chromium or Chrome on this machine.")
    who = {"email": f"{name}@benchmark.example", "password": PASSWORD}
    client.post("users", {**who, "name": name, "role": "annotator"})
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"]) as browser,
    ):

        def window() -> BrowserContext:
            context = browser.new_context(base_url=podium.url, viewport={"width": 1440, "height": 900})
            # By the same request as the page's own, so that no label is relied on.
            answer = context.request.post("/api/v1/session", data=who, headers={"Origin": podium.url})
            if not answer.ok:
                raise SystemExit(f"Signing in failed: {answer.status} {answer.text()}")
            return context

        yield window


def percentiles(milliseconds: list[float]) -> Json:
    """Median, 95th percentile and the largest."""
    cuts = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return {"p50_ms": round(cuts[49], 1), "p95_ms": round(cuts[94], 1), "max_ms": round(max(milliseconds), 1)}


def keys(podium: Podium, client: Client, options: argparse.Namespace) -> None:
    """From key to next comparison, under each latency."""
    with a_browser(podium, client, "keys") as window:
        for latency in options.latency_ms:
            slug = a_study(client, prompts=options.judgments + 40)
            page = window().new_page()
            devtools = page.context.new_cdp_session(page)
            devtools.send("Network.enable")
            network = {"offline": False, "latency": latency, "downloadThroughput": -1, "uploadThroughput": -1}
            devtools.send("Network.emulateNetworkConditions", network)
            devtools.send("Emulation.setCPUThrottlingRate", {"rate": options.slow_down})
            page.goto(f"/projects/{slug}/annotate")
            page.wait_for_selector("[data-answer]")
            page.evaluate(MEASURE)
            page.wait_for_timeout(2_000 + 10 * latency)
            for judged in range(options.judgments):
                page.keyboard.press(random.choice("abt"))
                page.wait_for_function("n => window.keyToNext.length > n", arg=judged)
                page.wait_for_timeout(random.uniform(300, 1200))
            times = page.evaluate("window.keyToNext")
            stored = wait_for_judgments(client, slug, len(times))
            about = {"latency_ms": latency, "slow_down": options.slow_down, "judgments": len(times), "stored": stored}
            print(json.dumps({"measure": "keys", **about, **percentiles(times)}), flush=True)
            page.context.close()


def storm(podium: Podium, client: Client, options: argparse.Namespace) -> None:
    """What becomes of judgments when everything goes wrong."""
    slug = a_study(client, prompts=options.judgments + 40)
    said: list[tuple[str, str]] = []
    happened: Counter[str] = Counter()
    with a_browser(podium, client, "storm") as window:
        context = window()
        page = context.new_page()
        page.goto(f"/projects/{slug}/annotate")
        rng = random.Random(0)
        for turn in range(options.judgments):
            what = rng.random()
            if what < 0.06:
                context.set_offline(True)
                happened["network cut"] += 1
            elif what < 0.16:
                context.set_offline(False)
            elif what < 0.19:
                kill_api()
                happened["server killed"] += 1
            elif what < 0.24:
                context.set_offline(False)
                page.close()
                happened["tab closed"] += 1
                page = context.new_page()
                open_again(page, f"/projects/{slug}/annotate")
            prompt = page.locator("article:visible [data-answer]").first
            try:
                prompt.wait_for(timeout=8_000)
            except PlaywrightTimeout:  # all that was fetched ahead is judged
                context.set_offline(False)
                prompt.wait_for(timeout=60_000)
            shown = page.evaluate(SHOWN)
            key = rng.choice("abt")
            page.keyboard.press(key)
            page.wait_for_function(f"before => ({SHOWN})() !== before", arg=shown)
            said.append((shown.split("Question ")[1].split(":")[0], key))
            page.wait_for_timeout(rng.uniform(80, 300))
            if turn % 20 == 0:
                print(f"{turn} judged, {dict(happened)}", file=sys.stderr)
        context.set_offline(False)
        stored = wait_for_judgments(client, slug, len(said), 120.0)
    rows = [row for row in client.pages(f"projects/{slug}/judgments") if row["counted"]]
    per_prompt = Counter(row["prompt"] for row in rows)
    keys_said, keys_stored = Counter(key for _, key in said), Counter(key_of(row) for row in rows)
    result = {
        "judged": len(said),
        "different_prompts": len({number for number, _ in said}),
        "stored": stored,
        "twice": sum(n > 1 for n in per_prompt.values()),
        "verdicts_as_given": keys_said == keys_stored,
        **happened,
    }
    print(json.dumps({"measure": "storm", **result}), flush=True)


SHOWN = """() => [...document.querySelectorAll('article')]
  .find((one) => one.offsetParent !== null && one.querySelector('[data-answer]'))?.textContent ?? ''"""


def key_of(row: Json) -> str:
    """The key that gave this judgment."""
    return "t" if row["ranks"] == [1, 1] else "a" if row["ranks"] == [1, 2] else "b"


def open_again(page: Page, path: str) -> None:
    """A page may be asked for while the server is just starting."""
    for _ in range(60):
        try:
            page.goto(path)
            return
        except PlaywrightError:
            time.sleep(0.5)
    raise SystemExit("The server did not come back.")


def kill_api() -> None:
    """As a machine that runs out of memory would; whoever watches over it starts it again."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if process.cmdline()[-1:] == ["api"]:
                process.send_signal(signal.SIGKILL)


def wait_for_judgments(client: Client, slug: str, wanted: int, seconds: float = 30.0) -> int:
    """How many judgments have come in, as soon as all have, or after so long."""
    until = time.monotonic() + seconds
    while True:
        stored = int(client.get(f"projects/{slug}")["counts"]["judgments"])
        if stored >= wanted or time.monotonic() > until:
            return stored
        time.sleep(0.2)


def crowd(podium: Podium, client: Client, options: argparse.Namespace) -> None:
    """Many people at once, through the API alone."""
    overlap = 3
    slug = a_study(client, prompts=-(-options.judgments // overlap), overlap=overlap)
    tokens = []
    for i in range(options.people):
        user = client.post("users", {"email": f"crowd{i}@benchmark.example", "role": "annotator", "password": PASSWORD})
        tokens.append(token_of(podium, user["email"]))
    asked: list[float] = []
    answered: list[float] = []
    errors: Counter[str] = Counter()
    done: Counter[int] = Counter()
    start = threading.Barrier(options.people + 1)

    def person(number: int) -> None:
        headers = {"Authorization": f"Bearer {tokens[number]}"}
        with httpx2.Client(base_url=f"{podium.url}/api/v1/", headers=headers, timeout=120) as http:
            start.wait()
            while True:
                began = time.perf_counter()
                answer = http.post(f"projects/{slug}/comparisons/next", params={"count": 1})
                asked.append((time.perf_counter() - began) * 1000)
                if answer.status_code != 200:
                    errors[f"next {answer.status_code}"] += 1
                    return
                items = answer.json()["items"]
                if not items:
                    return
                said = {"comparison": items[0]["id"], "lease": items[0]["lease"]["id"], "ranks": [1, 2]}
                began = time.perf_counter()
                answer = http.put(f"judgments/{uuid.uuid4()}", json=said)
                answered.append((time.perf_counter() - began) * 1000)
                if answer.status_code != 201:
                    errors[f"judgment {answer.status_code}"] += 1
                    return
                done[number] += 1

    people = [threading.Thread(target=person, args=(i,)) for i in range(options.people)]
    for one in people:
        one.start()
    start.wait()
    began = time.perf_counter()
    for one in people:
        one.join()
    seconds = time.perf_counter() - began

    assert podium.settings.database_url is not None
    engine = make_engine(podium.settings.database_url, pool_size=1, application="benchmark")
    with engine.connect() as connection:
        rows = connection.execute(
            select(Comparison.set_key, Comparison.annotator_id, Comparison.lease_id)
            .join(Project, Project.id == Comparison.project_id)
            .where(Project.slug == slug, Comparison.state == "judged")
        ).all()
    engine.dispose()
    per_set = Counter(row.set_key for row in rows)
    counts = [done[i] for i in range(options.people)]
    result = {
        "people": options.people,
        "judgments": sum(counts),
        "seconds": round(seconds, 1),
        "judgments_per_s": round(sum(counts) / seconds, 1),
        "next": percentiles(asked),
        "judgment": percentiles(answered),
        "fewest": min(counts),
        "most": max(counts),
        "errors": dict(errors),
        "over_overlap": sum(n > overlap for n in per_set.values()),
        "twice_to_one_person": len(rows) - len({(row.set_key, row.annotator_id) for row in rows}),
        "leases_twice": len(rows) - len({row.lease_id for row in rows}),
    }
    print(json.dumps({"measure": "crowd", **result}), flush=True)


def token_of(podium: Podium, email: str) -> str:
    """A token of this person, made as they would on their page."""
    with httpx2.Client(base_url=f"{podium.url}/api/v1/") as http:
        me = http.post("session", json={"email": email, "password": PASSWORD}).raise_for_status().json()
        headers = {"X-CSRF-Token": me["csrf_token"]}
        made = http.post("tokens", json={"name": "benchmark", "scopes": ["annotate"]}, headers=headers)
        return str(made.raise_for_status().json()["token"])


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("keys")
    one.set_defaults(measure=keys)
    one.add_argument("--latency-ms", type=int, nargs="+", default=[0, 200])
    one.add_argument("--judgments", type=int, default=100)
    one.add_argument("--slow-down", type=float, default=1.0)
    three = commands.add_parser("storm")
    three.set_defaults(measure=storm)
    three.add_argument("--judgments", type=int, default=100)
    two = commands.add_parser("crowd")
    two.set_defaults(measure=crowd)
    two.add_argument("--people", type=int, default=100)
    two.add_argument("--judgments", type=int, default=2000)
    options = parser.parse_args()
    with a_podium() as podium, Client(podium.settings) as client:
        options.measure(podium, client, options)


if __name__ == "__main__":
    main()
