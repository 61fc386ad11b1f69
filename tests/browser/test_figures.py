"""Plots to take along: pictures that show something, data that a spreadsheet reads, values by the keyboard."""

import csv
import io
import re
import struct
import zlib
from itertools import pairwise

import pytest
from playwright.sync_api import Page, expect

from backend.client import Client
from tests.browser.conftest import PHONE, Visit
from tests.browser.example import MODELS, make_example

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(client: Client) -> str:
    """A project with 160 judgments of three models, all in the ratings."""
    return f"/projects/{make_example(client, 'Plotted answers')}"


def saved(page: Page, figure: str, button: str) -> tuple[str, bytes]:
    """What a button of a figure hands over: the file's name and what is in it."""
    with page.expect_download() as download:
        page.get_by_role("figure", name=figure).get_by_role("button", name=button, exact=True).click()
    return download.value.suggested_filename, download.value.path().read_bytes()


def colours(png: bytes) -> tuple[int, int, set[bytes]]:
    """Width, height and the different pixels of a PNG of 8 bits per channel."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, depth, kind = struct.unpack(">IIBB", png[16:26])
    assert depth == 8 and kind in (2, 6)
    channels = 3 if kind == 2 else 4
    data, at = b"", 8
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + size]
        at += size + 12
    raw, stride = zlib.decompress(data), width * channels
    before = bytearray(stride)
    found: set[bytes] = set()
    for row in range(height):
        start = row * (stride + 1)
        line = unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + stride]), before, channels)
        found |= {bytes(line[i : i + 3]) for i in range(0, stride, channels)}
        before = line
    return width, height, found


def unfiltered(kind: int, line: bytearray, above: bytearray, channels: int) -> bytearray:
    """One row of a PNG without its filter (PNG specification, 9.2)."""
    for i in range(len(line)):
        left = line[i - channels] if i >= channels else 0
        corner = above[i - channels] if i >= channels else 0
        if kind == 1:
            guess = left
        elif kind == 2:
            guess = above[i]
        elif kind == 3:
            guess = (left + above[i]) // 2
        elif kind == 4:
            guess = min((left, above[i], corner), key=lambda one: abs(left + above[i] - corner - one))
        else:
            guess = 0
        line[i] = (line[i] + guess) & 255
    return line


GREEN = {"light": bytes.fromhex("17694a"), "dark": bytes.fromhex("7fd0a6")}
GROUND = {"light": bytes.fromhex("fffdf8"), "dark": bytes.fromhex("1b1c19")}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_leaderboard_is_saved_as_a_picture_and_as_data(visit: Visit, admin, client, address, scheme):
    page = visit(admin, f"{address}/leaderboard", scheme=scheme)
    name, png = saved(page, "Models by Elo", "Save picture")
    assert name.endswith("-leaderboard.png")
    width, height, found = colours(png)
    assert (width, height > 200) == (2 * (960 + 48), True), "twice as fine as on the page"
    assert {GREEN[scheme], GROUND[scheme]} <= found, "in the colours of the theme"
    name, svg = saved(page, "Models by Elo", "Save picture as SVG")
    assert name.endswith(".svg")
    assert all(model in svg.decode() for model in MODELS) and "Models by Elo" in svg.decode()
    assert "var(--" not in svg.decode() and "class=" not in svg.decode(), "needs no style sheet"
    name, data = saved(page, "Models by Elo", "Save data")
    assert name.endswith("-leaderboard.csv")
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    board = client.get(f"{address[1:]}/ratings")["items"]
    assert [(row["model"], float(row["elo"])) for row in rows] == [(one["name"], one["rating"]) for one in board]


def test_on_a_phone_the_picture_has_all_of_a_plot_that_scrolls(visit: Visit, admin, address):
    page = visit(admin, f"{address}/leaderboard", size=PHONE)
    _, svg = saved(page, "Who wins against whom", "Save picture as SVG")
    shares = [int(text) for text in re.findall(r">(\d+)</text>", svg.decode())]
    assert len(shares) == 3 + 6, "three columns, and each model against two others"


def test_the_history_is_read_by_keyboard(visit: Visit, admin, client, address):
    page = visit(admin, f"{address}/history")
    board = client.get(f"{address[1:]}/ratings")["items"]
    plot = page.get_by_role("slider", name="Elo of the models")
    plot.focus()
    page.keyboard.press("End")
    for one in board:
        expect(plot).to_have_attribute("aria-valuetext", re.compile(f"{one['rating']:,.0f}"))
    expect(plot).to_have_attribute("aria-valuetext", re.compile("^160 judgments: "))
    page.keyboard.press("Home")
    expect(plot).to_have_attribute("aria-valuetext", re.compile("^1 judgments: "))
    # A line is switched off, and the address remembers it.
    first = page.get_by_role("button", name=re.compile(board[0]["name"].split("/")[1] + r"\b.*"), pressed=True).first
    first.focus()
    page.keyboard.press("Space")
    expect(page.get_by_text("2 models of 3")).to_be_visible()
    page.reload()
    expect(page.get_by_text("2 models of 3")).to_be_visible()
    _, data = saved(page, "Elo of the models", "Save data")
    columns, *rows = csv.reader(io.StringIO(data.decode()))
    assert columns == ["judgments", "time", *(one["name"] for one in board[1:])]
    assert [float(value) for value in rows[-1][2:]] == [one["rating"] for one in board[1:]]
    assert all(int(one[0]) < int(next[0]) for one, next in pairwise(rows))
    page.get_by_role("button", name="Show as table").click()
    expect(page.get_by_role("region", name="Elo of the models, as a table").get_by_role("row")).to_have_count(161)


def test_a_prompt_shows_its_answers_best_first_and_what_is_behind_them(visit: Visit, admin, client, address):
    prompt = client.get(f"{address[1:]}/prompts", limit=1)["items"][0]["id"]
    detail = client.get(f"{address[1:]}/prompts/{prompt}")
    best = max(detail["completions"], key=lambda one: one["bradley_terry"])
    page = visit(admin, f"{address}/prompts/{prompt}")
    cards = page.get_by_role("listitem").filter(has=page.get_by_role("heading", level=3))
    expect(cards).to_have_count(3)
    expect(cards.first).to_contain_text(best["model"]["name"].split("/")[1])
    expect(cards.first).to_contain_text(f"{best['judgments']} judgment")
    _, data = saved(page, "Who won against whom", "Save data")
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    assert sum(int(row["judgments"]) for row in rows) == detail["judgments"]
    page.get_by_role("region", name="Judgments of this prompt").get_by_role("link", name="Judgment of").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Judgment")


def test_a_reward_set_shows_its_spread_and_a_dot_leads_to_the_judgments(visit: Visit, admin, client, address):
    sets = f"{address[1:]}/reward-sets"
    one, other = (client.post(sets, {"name": name, "method": name})["id"] for name in ("elo", "bradley_terry"))
    page = visit(admin, f"{address}/rewards/{one}")
    _, data = saved(page, "How the rewards are spread", "Save data")
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    assert sum(int(row["train"]) + int(row["held_out"]) for row in rows) == 24
    page.get_by_label("Compare with").select_option(other)
    beside = re.compile("No. 1 beside No. 2")
    expect(page.get_by_role("figure", name=beside).locator("circle")).to_have_count(24)
    first = client.get(f"reward-sets/{one}/rewards")["items"][0]
    cells = page.get_by_role("region", name="Rewards", exact=True).get_by_role("cell")
    expect(cells.nth(0)).to_contain_text(first["prompt_excerpt"])
    expect(cells.nth(1)).to_have_text(first["model"].split("/")[1])
    page.get_by_role("figure", name="Reward against rating").locator("circle").last.click()
    expect(page.get_by_role("dialog", name="Why this reward").get_by_role("link")).to_have_count(1)
