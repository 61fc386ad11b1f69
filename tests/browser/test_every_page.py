"""Every page in every look: no barrier (axe, WCAG 2.2 A and AA), a title, a visible focus, and a phone that fits."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from backend.client import Client
from tests.browser.conftest import PHONE, WIDE, Visit, make_person
from tests.browser.example import DOCUMENTS, TINY, make_example, new_name, wait_for_run
from tests.browser.study import send

pytestmark = pytest.mark.browser

RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "rules": {"target-size": {"enabled": True}},  # the one of 2.2; axe leaves it out unless told
}
# Only what is wrong: to name the place of everything that is right takes axe longest.
AXE = Axe().axe_script
FOUND = """async (options) => (await axe.run({ ...options, resultTypes: ["violations"] })).violations.flatMap(
  (rule) => rule.nodes.map((node) => `${rule.id} (${rule.help}): ${node.html.slice(0, 200)}`))"""

SCROLLS = "table => table.parentElement.scrollWidth > table.parentElement.clientWidth"


@pytest.fixture(scope="module")
def places(client: Client) -> dict[str, str]:
    """The address of each page of an admin, on a Podium where there is something to see."""
    slug = make_example(client, "Helpful answers")
    address = f"/projects/{slug}"
    send(client, slug, "documents", [{"text": text} for text in DOCUMENTS])
    config = {**TINY, "epochs": 2.0, "output_name": new_name("example")}
    run = client.post("runs", {"project": slug, "kind": "pretrain", "config": config})["id"]
    reward_set = client.post(f"projects/{slug}/reward-sets", {"name": "First round"})["id"]
    prompt = client.get(f"projects/{slug}/prompts", limit=1)["items"][0]["id"]
    invitation = client.post("invitations", {"role": "annotator"})["token"]
    judgment = client.get(f"projects/{slug}/judgments", limit=1)["items"][0]
    completions = [one["id"] for one in judgment["completions"]]
    known = {"completions": completions, "ranks": [1, 2], "use": "check", "explanation": "It is true."}
    gold = client.post(f"projects/{slug}/gold", known)["id"]
    done = wait_for_run(client, run, "succeeded")
    return {
        "login": "/login",
        "invitation": f"/invitations/{invitation}",
        "projects": "/projects",
        "new-project": "/new-project",
        "overview": address,
        "annotate": f"{address}/annotate",
        "mine": f"{address}/mine",
        "prompts": f"{address}/prompts",
        "prompt": f"{address}/prompts/{prompt}",
        "leaderboard": f"{address}/leaderboard",
        "history": f"{address}/history",
        "judgments": f"{address}/judgments",
        "judgment": f"{address}/judgments/{judgment['id']}",
        "disagreements": f"{address}/disagreements",
        "asking": f"{address}/asking",
        "attention": f"{address}/attention",
        "annotators": f"{address}/annotators",
        "agreement": f"{address}/agreement",
        "annotator": f"{address}/annotators/{judgment['annotator']['id']}",
        "gold": f"{address}/gold",
        "gold-new": f"{address}/gold/new",
        "gold-from": f"{address}/gold/new?prompt={judgment['prompt']}&completions={','.join(completions)}",
        "gold-item": f"{address}/gold/{gold}",
        "rewards": f"{address}/rewards",
        "reward-set": f"{address}/rewards/{reward_set}",
        "settings": f"{address}/settings",
        "new-run": f"{address}/new-run",
        "run-form": f"{address}/new-run?kind=ppo",
        "runs": "/runs",
        "run": f"/runs/{run}",
        "checkpoints": "/checkpoints",
        "checkpoint": f"/checkpoints/{done['checkpoint']}",
        "models": "/models",
        "people": "/people",
        "preferences": "/preferences",
        "nowhere": "/no/such/page",
    }


OUTSIDE = ("login", "invitation")


def settled_width(page: Page, wanted: int) -> int:
    """How wide the page is, once it is as narrow as this, or never becomes so: plots are drawn anew after a change."""
    width = 0
    for _ in range(100):
        width = int(page.evaluate("document.documentElement.scrollWidth"))
        if width <= wanted:
            break
        page.wait_for_timeout(50)
    return width


def look(page: Page, name: str, path: str) -> None:
    """Open a page and wait until it has drawn what it has to say."""
    page.goto(path)
    if name == "annotate":
        start = page.get_by_role("button", name="Start judging")
        expect(start.or_(page.get_by_role("article", name="Comparison")).first).to_be_visible()
        if start.count():
            start.click()
        expect(page.get_by_role("article", name="Comparison")).to_be_visible()
    else:
        expect(page.get_by_role("heading", level=1), name).to_have_count(1)
    if name == "run":
        expect(page.get_by_role("img", name="Curve of").first).to_be_visible()
    expect(page.locator(".skeleton")).to_have_count(0)


def barriers(page: Page, *rules: str) -> list[str]:
    """What axe finds, one line each."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found: list[str] = page.evaluate(FOUND, {"runOnly": list(rules)} if rules else RULES)
    return found


def test_no_page_has_a_barrier_by_day_by_night_or_on_a_phone(visit: Visit, admin, places):
    inside, outside = visit(admin), visit(None)
    found: dict[str, Any] = {}
    titles: dict[str, str] = {}
    for name, path in places.items():
        page = outside if name in OUTSIDE else inside
        look(page, name, path)
        titles[name] = page.title()
        assert page.locator("html").get_attribute("lang") == "en"
        problems = barriers(page)
        if path.startswith("/projects/") and page.locator("nav [aria-current=page]").count() != 1:
            problems.append("menu: it does not say where one is")
        page.emulate_media(color_scheme="dark")
        problems += [f"dark: {problem}" for problem in barriers(page, "color-contrast")]
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        if (width := settled_width(page, PHONE[0])) > PHONE[0]:
            problems.append(f"phone: {width} pixels wide")
        if name in ("checkpoints", "models") and page.locator(".table").evaluate(SCROLLS):
            problems.append("phone: its table scrolls sideways")
        page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
        if problems:
            found[name] = problems
    assert found == {}
    assert all(title.endswith(" · Podium") for title in titles.values())
    assert len(set(titles.values())) == len(titles), titles


def test_the_open_dialogs_have_no_barrier(visit: Visit, client, places):
    person = make_person(client, "annotator")
    for scheme in ("light", "dark"):
        page = visit(person, places["annotate"], scheme=scheme)
        expect(page.get_by_role("dialog", name="Guidelines")).to_be_visible()
        assert barriers(page) == []
        page.keyboard.press("Escape")
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
        assert barriers(page) == []


def test_the_focus_can_be_seen_wherever_the_keyboard_goes(visit: Visit, admin, places):
    page = visit(admin, size=WIDE)
    for name in ("annotate", "overview", "leaderboard", "history", "prompt", "run-form", "preferences"):
        look(page, name, places[name])
        seen = set()
        for _ in range(25):
            page.keyboard.press("Tab")
            place, visible = page.evaluate(VISIBLE_FOCUS)
            assert visible, f"{name}: the focus on {place} cannot be seen"
            seen.add(place)
        assert len(seen) > 8, f"{name}: the keyboard reaches {seen} only"


# What has the focus, and whether one sees that: an outline of its own, or of the label around a hidden radio button.
VISIBLE_FOCUS = """() => {
  const element = document.activeElement;
  if (!element || element === document.body) return ["body", true];
  const outlined = (one) => {
    const style = getComputedStyle(one);
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
  };
  const around = element.closest("label");
  return [element.outerHTML.slice(0, 120), outlined(element) || (around !== null && outlined(around))];
}"""


def test_the_first_stop_of_the_keyboard_skips_the_menu(visit: Visit, admin, places):
    page = visit(admin, places["leaderboard"])
    expect(page.get_by_role("row").first).to_be_visible()
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_the_text_may_be_twice_as_large(visit: Visit, client, places):
    # 200 % on a laptop is a window half as wide and high in CSS pixels.
    person = make_person(client, "annotator")
    page = visit(person, size=(720, 450))
    look(page, "annotate", places["annotate"])
    assert page.evaluate("document.documentElement.scrollWidth") <= 720
    expect(page.get_by_role("button", name="A is better")).to_be_in_viewport()
    expect(page.locator("[data-answer]:visible").first).to_be_in_viewport()
