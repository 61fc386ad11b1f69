"""How soon the built pages are there: first paint, first content, bytes over the wire.

    python -m benchmarks.pages [--repeats 5] [--slow-down 1 4] [--latency-ms 0 40] [--language en]

Each visit is a browser window of its own with nothing in its cache. `first_paint_ms` is Chromium's own
first-contentful-paint; `content_ms` ends with the first frame that shows what the page is for: the field for the
password, the answers to compare, the rows of the leaderboard. Bytes are those that came over the wire (compressed)
until then, and in all until the network rests. `latency-ms` is added to each round trip by Chromium's own network
emulation, with 10 Mbit/s where it is not 0; `slow-down` is its slow-down of the processor. Medians, and the fastest
visit beside them, which tells more where the machine has other work.

A Podium of its own is started for it, in a temporary folder. One JSON line for each measurement.
"""

import argparse
import json
import statistics
import uuid
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from backend import checks
from backend.client import Client
from backend.up import Podium
from benchmarks.annotating import PASSWORD, a_podium, a_study

MBIT_PER_S = 10

# The moment of the first frame in which something that matches is visible.
WATCH = """selector => {
  const look = () => {
    const one = [...document.querySelectorAll(selector)].find((found) => found.getClientRects().length > 0);
    if (!one) return requestAnimationFrame(look);
    const channel = new MessageChannel();
    channel.port1.onmessage = () => { window.contentAt = performance.now(); };
    channel.port2.postMessage(null);
  };
  requestAnimationFrame(look);
}"""


def visit(browser: Browser, url: str, path: str, content: str, options: dict[str, Any]) -> dict[str, float]:
    """One visit with an empty cache, as somebody who is signed in unless it is about signing in."""
    context = browser.new_context(
        base_url=url,
        viewport={"width": 1440, "height": 900},
        locale=options["language"],
        storage_state=None if path == "/login" else options["session"],
    )
    page = context.new_page()
    page.add_init_script(f"({WATCH})({json.dumps(content)})")
    devtools = context.new_cdp_session(page)
    arrived: list[float] = []
    devtools.on("Network.loadingFinished", lambda event: arrived.append(event["encodedDataLength"]))
    devtools.send("Network.enable")
    latency = options["latency_ms"]
    through = MBIT_PER_S * 125_000 if latency else -1
    devtools.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": latency, "downloadThroughput": through, "uploadThroughput": through},
    )
    devtools.send("Emulation.setCPUThrottlingRate", {"rate": options["slow_down"]})
    page.goto(path, wait_until="commit")
    page.wait_for_function("() => window.contentAt !== undefined")
    by_then = sum(arrived)
    page.wait_for_load_state("networkidle")
    found = {
        "first_paint_ms": page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"),
        "content_ms": page.evaluate("window.contentAt"),
        "bytes_until_content": by_then,
        "bytes": sum(arrived),
        "requests": float(len(arrived)),
    }
    context.close()
    return found


def measure(podium: Podium, client: Client, options: argparse.Namespace) -> None:
    """Every page under every condition."""
    program = checks.chromium()
    if program is None:
        raise SystemExit("There is no Chromium or Chrome on this machine.")
    slug = a_study(client, prompts=30)
    judge_some(client, slug, 20)
    email = "pages@benchmark.example"
    client.post("users", {"email": email, "name": "Pages", "role": "admin", "password": PASSWORD})
    places = {
        "sign-in": ("/login", "input[type=password]"),
        "annotate": (f"/projects/{slug}/annotate", "[data-answer] :is(.prose, .plain)"),
        "leaderboard": (f"/projects/{slug}/leaderboard", "tbody tr"),
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(base_url=podium.url)
        answer = context.request.post("/api/v1/session", data={"email": email, "password": PASSWORD})
        assert answer.ok, answer.text()
        session = context.storage_state()
        context.close()
        visit(browser, podium.url, *places["sign-in"], conditions(options.language, session, 0, 1))  # warms the server
        for latency in options.latency_ms:
            for slow_down in options.slow_down:
                for name, place in places.items():
                    about = conditions(options.language, session, latency, slow_down)
                    visits = [visit(browser, podium.url, *place, about) for _ in range(options.repeats)]
                    found = {key: round(statistics.median(one[key] for one in visits)) for key in visits[0]}
                    found["fastest_content_ms"] = round(min(one["content_ms"] for one in visits))
                    print(
                        json.dumps({"page": name, "latency_ms": latency, "slow_down": slow_down, **found}), flush=True
                    )
        browser.close()


def conditions(language: str, session: Any, latency_ms: int, slow_down: float) -> dict[str, Any]:
    """What a visit is made under."""
    return {"language": language, "session": session, "latency_ms": latency_ms, "slow_down": slow_down}


def judge_some(client: Client, slug: str, count: int) -> None:
    """So many judgments, that there is something to rank."""
    for item in client.post(f"projects/{slug}/comparisons/next", count=count)["items"]:
        body = {"comparison": item["id"], "lease": item["lease"]["id"], "ranks": [1, 2]}
        client._json("PUT", f"judgments/{uuid.uuid4()}", json=body)


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--slow-down", type=float, nargs="+", default=[1.0, 4.0])
    parser.add_argument("--latency-ms", type=int, nargs="+", default=[0])
    parser.add_argument("--language", default="en")
    options = parser.parse_args()
    with a_podium() as podium, Client(podium.settings) as client:
        measure(podium, client, options)


if __name__ == "__main__":
    main()
