"""What the annotate page asks besides a choice, and what it remembers: remarks, ideal answers, reasons, practice."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from backend.client import Client
from backend.tables import Comparison, Demonstration, Flag, Judgment, Project
from tests.browser.conftest import PHONE, Visit
from tests.browser.desk import Desk
from tests.browser.study import Study, make_study

pytestmark = pytest.mark.browser

ANSWERS = (
    ("How long?", "## Eggs 😀\n\n- **Six minutes** for a *soft* egg\n- `ten` for a hard one, then $t_0$ is over."),
    ("How long?", "Until it is done; مرحبا بالعالم says more."),
)
ASPECTS = [{"name": "Truthful", "definition": "Which says fewer false things?"}, {"name": "Kind", "definition": ""}]
EVERYTHING: dict[str, Any] = {
    "comment": "optional",
    "ideal_answer": "optional",
    "spans": True,
    "aspects": ASPECTS,
}


def rows(study: Study) -> list[Judgment]:
    """The judgments of the study that stand, oldest first."""
    with study.engine.connect() as connection:
        found = connection.execute(
            select(Judgment.__table__)
            .join(Project, Project.id == Judgment.project_id)
            .where(Project.slug == study.slug, Judgment.voided_at.is_(None))
            .order_by(Judgment.sequence)
        )
        return list(found.all())  # type: ignore[arg-type]


def scalars(study: Study, column: Any) -> list[Any]:
    """A column of a table that knows its project."""
    with study.engine.connect() as connection:
        query = select(column).join(Project, Project.id == column.class_.project_id)
        return list(connection.scalars(query.where(Project.slug == study.slug)))


def test_everything_a_project_can_ask_is_given_by_key_survives_a_reload_and_arrives(
    visit: Visit, client: Client, engine, annotator
):
    study = make_study(client, engine, answers=ANSWERS, protocol=EVERYTHING)
    page = visit(annotator, f"{study.address}/annotate")
    desk = Desk(page).begin()
    first = desk.shown()
    eggs = 0 if "Eggs" in first.answers[0] else 1

    desk.press("r")
    expect(page.get_by_text("Which says fewer false things?")).to_be_visible()
    page.keyboard.press("b")
    page.keyboard.press("Enter")  # the second one is left out

    desk.press("m")
    if eggs == 1:
        page.keyboard.press("Tab")
    for key in ("ArrowDown", "Shift+ArrowRight"):
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    page.keyboard.type("b, a, t: nothing fires here")
    page.keyboard.press("Enter")

    desk.press("e")
    page.get_by_role("button", name=f"Start from answer {'AB'[1 - eggs]}").click()
    page.keyboard.press("Home")
    page.keyboard.type("Six minutes. ")
    page.keyboard.press("Escape")
    expect(page.get_by_role("list", name="Remarks")).to_contain_text("nothing fires here")
    page.wait_for_timeout(400)  # the time in which what is typed is written down

    page.reload()
    desk.begin(guidelines=False)
    expect(page.get_by_role("list", name="Remarks")).to_contain_text("nothing fires here")
    expect(page.get_by_role("button", name="Ideal answer:")).to_be_visible()
    painted = "[...CSS.highlights.get('remark')].map((one) => one.toString())"
    assert page.evaluate(painted) == ["Six minutes"]
    desk.press("p")
    page.wait_for_function(f"{painted}[0] === 'Six minutes'")
    desk.judge("a")
    desk.all_saved()

    (said,) = rows(study)
    source = ANSWERS[0][1]
    (span,) = said.spans or []
    assert (span["completion"], span["quote"], span["remark"]) == (eggs, "Six minutes", "b, a, t: nothing fires here")
    assert source[span["start"] : span["end"]] == "Six minutes", "offsets count characters, not UTF-16"
    assert said.aspects == {"Truthful": [2, 1]}
    assert said.ideal_answer == "Six minutes. " + ANSWERS[1][1]
    assert said.guidelines_version == 1
    assert scalars(study, Demonstration.text) == [said.ideal_answer]

    # Undone, all of it is there again.
    desk.press("z")
    expect(page.get_by_role("list", name="Remarks")).to_contain_text("nothing fires here")
    expect(page.get_by_role("button", name="Ideal answer:")).to_be_visible()
    assert scalars(study, Demonstration.text) == []


def test_words_are_marked_with_the_mouse_and_a_remark_can_be_changed_and_removed(visit, client, engine, annotator):
    study = make_study(client, engine, answers=ANSWERS, protocol=EVERYTHING)
    page = visit(annotator, f"{study.address}/annotate")
    Desk(page).begin()
    page.locator("[data-answer]:visible strong").dblclick()
    page.get_by_role("button", name="Remark").click()
    page.get_by_label("Remark", exact=True).fill("short")
    page.get_by_role("button", name="Keep").click()
    remarks = page.get_by_role("list", name="Remarks")
    expect(remarks).to_contain_text("short")
    remarks.get_by_role("button").first.click()
    page.get_by_label("Remark", exact=True).fill("shorter")
    page.keyboard.press("Enter")
    expect(remarks).to_contain_text("shorter")
    page.get_by_role("button", name="Remove this remark").click()
    expect(remarks).to_have_count(0)
    assert page.evaluate("CSS.highlights.get('remark').size") == 0


def test_reasons_for_skips_and_flags_and_the_way_back_after_a_reload(visit: Visit, client, engine, annotator):
    study = make_study(client, engine, prompts=6)
    page = visit(annotator, f"{study.address}/annotate")
    desk = Desk(page).begin()
    flagged = desk.shown()
    desk.press("f")
    page.keyboard.press("2")
    expect(page.get_by_role("status").filter(has_text="Private data of a person")).to_be_visible()
    desk.judge("a")
    skipped = desk.judge("s")
    page.get_by_role("button", name="Too long").click()
    reasoned = desk.shown()
    desk.press("Shift+S")
    page.keyboard.type("I wrote this one")
    page.keyboard.press("Enter")
    desk.leaves(reasoned)
    desk.all_saved()
    page.wait_for_timeout(500)
    assert sorted(filter(None, scalars(study, Comparison.skip_reason))) == ["I wrote this one", "Too long"]
    assert scalars(study, Flag.reason) == ["Private data of a person"]

    page.reload()
    desk.begin(guidelines=False)
    for before in (reasoned, skipped, flagged):
        desk.press("z")
        expect(desk.comparison).to_contain_text(before.answers[0])
    expect(page.get_by_role("status").filter(has_text="Private data of a person")).to_be_visible()
    desk.press("z")
    expect(desk.status).to_contain_text("The flag is taken back.")
    assert desk.shown() == flagged
    assert scalars(study, Flag.reason) == []
    assert [one.voided for one in study.said()] == [True]
    assert study.states().get("skipped") is None


def test_the_best_two_of_five_are_enough_where_only_they_are_asked_for(visit, client, engine, annotator):
    study = make_study(client, engine, prompts=3, protocol={"size": 5, "top": 2, "allow_tie": False})
    page = visit(annotator, f"{study.address}/annotate")
    desk = Desk(page).begin()
    first = desk.shown()
    desk.press("4")
    page.wait_for_timeout(400)
    page.reload()  # the ranking so far is kept
    desk.begin(guidelines=False)
    expect(page.get_by_role("group", name="Judgment")).to_contain_text("4 > ?")
    desk.press("1")
    desk.leaves(first)
    desk.all_saved()
    assert [(one.texts, one.ranks) for one in study.said()] == [(first.answers, (2, 3, 3, 1, 3))]


def with_tests(client: Client, study: Study, right: str) -> None:
    """Two practice and three qualification comparisons, in which the answers with this letter are right."""
    found = client.get(f"projects/{study.slug}/prompts", limit=5)["items"]
    for number, prompt in enumerate(found):
        completions = client.get(f"projects/{study.slug}/prompts/{prompt['id']}")["completions"]
        completions.sort(key=lambda one: f"Answer {right}" not in one["text"])
        body = {
            "prompt": prompt["id"],
            "completions": [one["id"] for one in completions],
            "ranks": [1, 2],
            "use": "practice" if number < 2 else "qualification",
            "explanation": "Look at the **letter**." if number < 2 else "",
        }
        client.post(f"projects/{study.slug}/gold", body)


@pytest.mark.parametrize("passes", [True, False])
def test_practice_tells_what_was_right_and_the_qualification_decides(
    visit: Visit, client, engine, annotator, passes: bool
):
    study = make_study(client, engine, prompts=9, qualification_share=1.0)
    with_tests(client, study, right="K")
    page = visit(annotator, f"{study.address}/annotate")
    desk = Desk(page).begin()

    def say(right: bool) -> None:
        left_is_right = "Answer K" in desk.shown().answers[0]
        desk.press("a" if left_is_right == right else "b")

    card = page.get_by_role("region", name="What was right")
    expect(page.get_by_test_id("stage")).to_contain_text("Practice 1 of 2")
    say(right=False)
    expect(card).to_contain_text("Here it would have been")
    expect(card).to_contain_text("Look at the letter.")
    before = desk.shown()
    desk.press("a")  # nothing more can be said of it
    assert desk.shown() == before
    page.keyboard.press("Enter")
    desk.leaves(before)
    say(right=True)
    expect(card).to_contain_text("Right.")
    page.keyboard.press("Enter")

    for number in (1, 2, 3):
        expect(page.get_by_test_id("stage")).to_contain_text(f"Qualification {number} of 3")
        shown = desk.shown()
        say(right=passes or number < 3)
        desk.leaves(shown)
        expect(card).to_have_count(0)
    if passes:
        expect(desk.comparison).to_be_visible()
        expect(page.get_by_test_id("stage")).to_have_count(0)
    else:
        expect(page.get_by_role("heading", name="Thank you for trying")).to_be_visible()
        expect(page.get_by_text("2 of 3 agreed")).to_be_visible()
    assert len(study.said()) == 5


def test_changed_guidelines_are_shown_with_what_has_changed(visit: Visit, client, engine, annotator, study):
    page = visit(annotator, f"{study.address}/annotate")
    desk = Desk(page).begin()
    desk.judge("a")
    desk.all_saved()
    client.patch(f"projects/{study.slug}", {"guidelines": "Choose the answer that you would **rather send**."})
    page.reload()
    dialog = page.get_by_role("dialog", name="The guidelines have changed")
    expect(dialog.locator("ins")).to_have_text(["send"])
    expect(dialog.locator("del").first).to_have_text("receive")
    dialog.get_by_role("button", name="Go on judging").click()
    desk.judge("b")
    desk.all_saved()
    assert [one.guidelines_version for one in rows(study)] == [1, 2]


def swipe(page: Page, start: int, end: int) -> None:
    """A finger drawn sideways over the answer."""
    touch = page.context.new_cdp_session(page)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": start, "y": 420}]})
    for step in range(1, 9):
        point = {"x": start + (end - start) * step / 8, "y": 420}
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_on_a_phone_a_swipe_judges_and_can_be_taken_back(visit: Visit, study, annotator):
    page = visit(annotator, f"{study.address}/annotate", size=PHONE, has_touch=True, is_mobile=True)
    page.get_by_role("button", name="Start judging").tap()
    desk = Desk(page)
    first = desk.answers.inner_text()
    page.wait_for_timeout(100)
    swipe(page, 200, 170)  # too short to be meant
    expect(desk.answers).to_have_text(first)
    swipe(page, 300, 120)
    expect(desk.answers.filter(has_text=first)).to_have_count(0)
    desk.all_saved()
    assert [one.ranks for one in study.said()] == [(1, 2)]
    page.get_by_role("button", name="Undo").first.click()
    expect(desk.answers).to_have_text(first)
    assert [one.voided for one in study.said()] == [True]
