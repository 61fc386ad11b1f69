"""Without a mouse, without a screen, on a narrow window, without motion: the annotator's pages lose nothing."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit, make_person
from tests.browser.desk import Desk
from tests.browser.study import PASSWORD, make_study

pytestmark = pytest.mark.browser

# The name of what has the focus, as far as these pages make names, and whether one sees where it is.
FOCUS = """() => {
  const element = document.activeElement;
  if (!element || element === document.body) return ["", true];
  const label = element.getAttribute("aria-label") ?? element.labels?.[0]?.innerText ?? element.innerText ?? "";
  const outlined = (one) => {
    const style = getComputedStyle(one);
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
  };
  const around = element.closest("label");
  const quiet = element.id === "main" || element.tagName === "DIALOG";
  return [label.trim(), quiet || outlined(element) || (around !== null && outlined(around))];
}"""


class Keyboard:
    """Someone who has nothing else. The mouse is never used."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def focus(self) -> str:
        """Where it is, which must be to be seen."""
        name, visible = self.page.evaluate(FOCUS)
        assert visible, f"the focus on “{name}” cannot be seen"
        return str(name)

    def to(self, name: str, *, back: bool = False, most: int = 60) -> None:
        """Go on with Tab until the focus is on something of this name."""
        passed = []
        for _ in range(most):
            self.page.keyboard.press("Shift+Tab" if back else "Tab")
            passed.append(self.focus())
            if re.match(name, passed[-1]):
                return
        raise AssertionError(f"the keyboard does not reach “{name}”, only {passed}")

    def press(self, key: str) -> None:
        """One key, not faster than a person."""
        self.page.wait_for_timeout(80)
        self.page.keyboard.press(key)


def test_a_whole_session_with_the_keyboard_alone(visit: Visit, client, engine, annotator):
    study = make_study(client, engine, prompts=14, protocol={"comment": "optional"})
    make_study(client, engine, prompts=1)
    page = visit(None, "/", expects=(r"status of 401",))
    hands, desk = Keyboard(page), Desk(page)

    expect(page.get_by_label("Email")).to_be_focused()
    page.keyboard.type(annotator.email)
    hands.to("Password")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1, name="Projects")).to_be_visible()
    hands.to(f"{study.name}$")
    page.keyboard.press("Enter")
    guidelines = page.get_by_role("dialog", name="Guidelines")
    expect(guidelines).to_contain_text("Is it clear?")
    assert "Start" in hands.focus()
    page.keyboard.press("Enter")
    expect(guidelines).to_have_count(0)

    judged = [desk.judge(key) for key in "ab"]
    skipped = desk.judge("s")
    hands.press("z")
    expect(desk.comparison).to_contain_text(skipped.answers[0])
    desk.judge("s")
    hands.press("c")
    page.keyboard.type("It says why.")
    page.keyboard.press("Enter")
    judged.append(desk.judge("t"))

    # From the last comparison to the preferences and back, by the links that are always there.
    hands.to("Preferences", back=True)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Preferences")).to_be_visible()
    hands.to("Key for “Tie”")
    page.keyboard.press("Enter")
    page.keyboard.press("y")
    expect(page.get_by_role("button", name="Key for “Tie”: Y")).to_be_focused()
    hands.to("Annotate", back=True)
    page.keyboard.press("Enter")
    desk.begin(guidelines=False)
    judged.append(desk.judge("y"))

    hands.to("Preferences", back=True)
    page.keyboard.press("Enter")
    hands.to("Single keys")
    page.keyboard.press("Space")
    expect(page.get_by_label("Single keys")).not_to_be_checked()
    hands.to("Annotate", back=True)
    page.keyboard.press("Enter")
    desk.begin(guidelines=False)
    before = desk.shown()
    for key in "abtyns":
        hands.press(key)
    assert desk.shown() == before, "switched off"
    hands.to("B is better")
    for _ in range(2):  # the focus stays on the button, so the same key goes on
        judged.append(desk.judge("Enter"))
        assert hands.focus().startswith("B is better")
    desk.all_saved()

    hands.to("My work", back=True)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="My work")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="“It says why.”")).to_have_count(1)
    hands.to("Sign out", back=True)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()

    said = [one for one in study.said() if not one.voided]
    assert [(one.texts, one.ranks) for one in said] == [
        (shown.answers, ranks)
        for shown, ranks in zip(judged, [(1, 2), (2, 1), (1, 1), (1, 1), (2, 1), (2, 1)], strict=True)
    ]
    assert said[2].comment == "It says why."


def test_the_focus_is_never_lost_by_those_who_judge_with_buttons(visit: Visit, client, engine, annotator):
    study = make_study(client, engine, prompts=2, protocol={"size": 3})
    page = visit(annotator, "/preferences")
    hands, desk = Keyboard(page), Desk(page)
    page.get_by_label("Single keys").uncheck()
    page.goto(f"{study.address}/annotate")
    desk.begin()
    ranked = []
    for _ in range(2):
        shown = desk.shown()
        for place in (2, 3, 1):
            hands.to(f"Place answer {place} next", most=90)
            page.wait_for_timeout(80)
            page.keyboard.press("Enter")
            if place != 1:
                assert hands.focus().startswith(f"Answer {place}:"), "on the same button"
        desk.leaves(shown)
        ranked.append(shown)
        if len(ranked) == 1:
            expect(desk.comparison).to_be_focused()
    expect(page.get_by_role("heading", name="All done for now")).to_be_visible()
    page.get_by_test_id("save-state").get_by_text("Saved").wait_for()
    assert [(one.texts, one.ranks) for one in study.said()] == [(shown.answers, (3, 1, 2)) for shown in ranked]


ALOUD = """() => {
  window.said = [];
  new MutationObserver(() => {
    const text = document.getElementById("announcer")?.textContent?.trim();
    if (text && text !== window.said.at(-1)) window.said.push(text);
  }).observe(document, { subtree: true, childList: true, characterData: true });
}"""


@contextmanager
def aloud(page: Page) -> Iterator[list[str]]:
    """What the live region of the page says meanwhile."""
    heard: list[str] = []
    before = page.evaluate("window.said.length")
    yield heard
    page.wait_for_function("before => window.said.length > before", arg=before)
    heard += page.evaluate("before => window.said.slice(before)", before)


def test_names_roles_and_announcements_are_those_that_a_screen_reader_needs(visit: Visit, client, engine, annotator):
    study = make_study(client, engine, prompts=8, protocol={"comment": "optional"})
    page = visit(annotator)
    page.add_init_script(f"({ALOUD})()")
    page.goto(f"{study.address}/annotate")
    desk = Desk(page).begin()
    shown = desk.shown()
    page.locator("article p", has_text=shown.answers[0]).first.wait_for()  # a plain text until Markdown is drawn
    tree = page.locator("main").aria_snapshot()
    for part in (
        f'- heading "Annotate {study.name}" [level=1]',
        '- article "Comparison":',
        '- region "Prompt":',
        '- region "Answer A":',
        '- heading "Answer A" [level=2]',
        '- region "Answer B":',
        f"- paragraph: {shown.answers[0]}",
        '- group "Judgment":',
        '- button "A is better (left)"',
        '- button "Tie"',
        '- button "B is better (right)"',
        '- button "None acceptable"',
        '- button "Skip"',
        '- button "Undo"',
        '- textbox "Comment"',
        '- group "Layout":',
        '- button "Side by side" [pressed]',
    ):
        assert part in tree, f"{part} is not in\n{tree}"
    assert tree.count('article "Comparison"') == 1, "the comparison that is drawn ahead must not be read"
    assert tree.index('heading "Answer A"') < tree.index('heading "Answer B"') < tree.index('button "A is better')
    expect(page.locator("#announcer")).to_have_attribute("aria-live", "polite")
    expect(page.get_by_role("navigation", name="Main")).to_have_count(1)

    with aloud(page) as heard:
        desk.judge("a")
    assert heard == ["A better. Next comparison."]
    with aloud(page) as heard:
        desk.judge("n")
    assert heard == ["None acceptable. Next comparison."]
    with aloud(page) as heard:
        desk.judge("s")
    assert "kipped" in heard[0]
    with aloud(page) as heard:
        desk.press("z")
        expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    assert "here again" in heard[-1]
    with aloud(page) as heard:
        desk.press("v")
    assert heard[-1].startswith("Below")
    with aloud(page) as heard:
        page.get_by_role("link", name="My work").first.press("Enter")
        expect(page.get_by_role("heading", level=1, name="My work")).to_be_visible()
    assert heard[-1] == "My work"


# What can be used and is not wholly inside the window, unless it scrolls in a frame of its own.
OUTSIDE = """() => [...document.querySelectorAll("a[href], button, input, select, textarea, h1, h2")].flatMap((one) => {
  const box = one.getBoundingClientRect();
  const scrolls = one.closest("[role=region][tabindex], .overflow-x-auto, pre, nav.hidden, .sr-only, table");
  if (box.width < 2 || scrolls || one.closest("[hidden]")) return [];
  return box.left < -1 || box.right > innerWidth + 1 ? [one.outerHTML.slice(0, 120)] : [];
})"""


def test_nothing_is_lost_at_320_pixels(visit: Visit, study, client):
    # 1280 pixels at 400 % (1.4.10).
    person = make_person(client, "annotator")
    invitation = client.post("invitations", {"role": "annotator"})["token"]
    inside, outside = visit(person, size=(320, 568)), visit(None, size=(320, 568))
    for path in ("/login", f"/invitations/{invitation}", "/projects", "/preferences", f"{study.address}/mine"):
        page = outside if path.startswith(("/login", "/invitations")) else inside
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator(".skeleton")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
        assert page.evaluate(OUTSIDE) == [], path
    inside.goto(f"{study.address}/annotate")
    desk = Desk(inside).begin()
    assert inside.evaluate("document.documentElement.scrollWidth") <= 320
    assert inside.evaluate(OUTSIDE) == []
    for name in ("A is better", "Tie", "B is better", "None acceptable", "Undo", "Skip"):
        button = inside.get_by_role("button", name=name).first
        expect(button).to_be_in_viewport()
        box = button.bounding_box()
        assert box is not None and box["height"] >= 44 and box["width"] >= 44, f"{name} is too small for a thumb"
    before = desk.shown()
    inside.wait_for_timeout(80)
    inside.get_by_role("button", name="A is better").click()
    desk.leaves(before)


def test_nothing_moves_for_those_who_asked_for_that(visit: Visit, client, engine, annotator):
    long = "\n\n".join(f"Paragraph {number} of a long answer." for number in range(80))
    study = make_study(client, engine, answers=[("Which?", f"One. {long}"), ("Which?", f"Two. {long}")])
    page = visit(annotator, f"{study.address}/annotate")
    desk = Desk(page).begin()
    page.wait_for_timeout(100)
    assert page.evaluate("document.getAnimations().filter((one) => one.playState === 'running').length") == 0
    desk.press("j")
    pane = desk.answers.first
    there = pane.evaluate("(one) => one.scrollTop")
    page.wait_for_timeout(400)
    assert there > 100 and pane.evaluate("(one) => one.scrollTop") == there, "it is there at once"
