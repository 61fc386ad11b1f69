"""Judging by keyboard: from the invitation to the rows in the database, with nothing in between that waits or tells."""

import pytest
from playwright.sync_api import expect

from backend.client import Client
from tests.browser.conftest import PHONE, Visit
from tests.browser.desk import Desk, Shown
from tests.browser.server import Server
from tests.browser.study import MODELS, PASSWORD, make_study
from tests.browser.watch import UNREACHABLE

pytestmark = pytest.mark.browser

RANKS = {"a": (1, 2), "b": (2, 1), "t": (1, 1), "n": None}


def test_somebody_new_is_invited_reads_the_guidelines_and_judges_twenty_with_the_keyboard_alone(
    visit: Visit, client: Client, engine, watch_of
):
    study, other = make_study(client, engine, prompts=25), make_study(client, engine, prompts=1)
    invitation = client.post("invitations", {"role": "annotator"})
    page = visit(None, f"/invitations/{invitation['token']}")
    watch = watch_of(page)
    page.get_by_label("Email").fill("newcomer@browser.example")
    page.get_by_label("Name").fill("Newcomer")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create the account").click()

    # Two projects wait, so the newcomer chooses; from here on only keys.
    page.get_by_role("link", name=study.name, exact=True).focus()
    page.keyboard.press("Enter")
    guidelines = page.get_by_role("dialog", name="Guidelines")
    expect(guidelines).to_contain_text("Choose the answer that you would rather receive.")
    page.keyboard.press("a")  # not yet
    expect(guidelines).to_be_visible()
    page.keyboard.press("Enter")
    expect(guidelines).to_have_count(0)

    desk = Desk(page)
    judged: list[tuple[Shown, str]] = []
    for turn in range(20):
        key = "abtn"[turn % 4] if turn < 12 else "ab"[turn % 2]
        judged.append((desk.judge(key), key))
    desk.all_saved()

    said = study.said()
    assert [(one.texts, one.ranks) for one in said] == [(shown.answers, RANKS[key]) for shown, key in judged]
    assert len({one.texts for one in said}) == 20
    assert all(one.counted and not one.voided and one.active_ms is not None for one in said)
    assert other.said() == []
    # Either model has been on either side: what is on the left says nothing.
    assert {study.texts[one.texts[0]] for one in said} == set(MODELS)

    for where, body in [("the page", page.content()), *watch.bodies()]:
        for name in study.models():
            assert name not in body, f"{where} tells of {name}"


def test_the_next_comparison_is_on_the_screen_before_the_server_has_answered_anything(visit: Visit, study, annotator):
    page = visit(annotator, f"{study.address}/annotate")
    desk = Desk(page).begin()
    server = Server(page)
    server.holds()
    judged = []
    for key in "abtb":
        ahead = page.locator("article[aria-label=Comparison]").nth(1)
        expect(ahead).to_be_hidden()
        drawn = ahead.text_content() or ""
        judged.append(desk.judge(key))
        assert all(answer in drawn for answer in desk.shown().answers), "the next one was not drawn ahead"
    assert "PUT" in {route.request.method for route in server.held}
    assert study.said() == []

    server.answers()
    desk.all_saved()
    assert [one.texts for one in study.said()] == [shown.answers for shown in judged]


def test_a_key_held_down_judges_once(visit: Visit, study, annotator):
    page = visit(annotator, f"{study.address}/annotate")
    desk = Desk(page).begin()
    first = desk.shown()
    page.wait_for_timeout(80)
    for _ in range(6):
        page.keyboard.down("a")
        page.wait_for_timeout(80)
    page.keyboard.up("a")
    desk.leaves(first)
    desk.all_saved()
    assert [one.texts for one in study.said()] == [first.answers]


def test_undo_brings_back_the_same_comparisons_one_after_another_and_voids_what_was_said(visit, study, annotator):
    page = visit(annotator, f"{study.address}/annotate")
    desk = Desk(page).begin()
    judged = [desk.judge(key) for key in "aab"]
    desk.all_saved()
    for shown in reversed(judged):
        desk.press("z")
        expect(desk.comparison).to_contain_text(shown.answers[0])
        assert desk.shown() == shown, "the same answers on the same sides"
    assert [one.voided for one in study.said()] == [True] * 3

    desk.judge("b")
    desk.all_saved()
    last = study.said()[-1]
    assert (last.texts, last.ranks, last.voided, last.counted) == (judged[0].answers, (2, 1), False, True)


def test_undo_works_after_a_reload_and_before_anything_was_sent(visit: Visit, study, annotator):
    page = visit(annotator, f"{study.address}/annotate", expects=(UNREACHABLE,))
    desk = Desk(page).begin()
    sent = desk.judge("a")
    desk.all_saved()
    page.reload()
    desk.begin(guidelines=False)
    desk.press("z")
    expect(desk.comparison).to_contain_text(sent.answers[0])
    assert [one.voided for one in study.said()] == [True]

    server = Server(page)
    server.is_unreachable("judgments")
    desk.judge("a")
    unsent = desk.judge("b")
    desk.press("z")
    expect(desk.comparison).to_contain_text(unsent.answers[0])
    expect(desk.unsaved).to_contain_text("1 kept")
    server.answers()
    desk.unsaved.click()
    desk.all_saved()
    assert [one.texts for one in study.said() if not one.voided] == [sent.answers]


def test_a_skip_can_be_taken_back_and_one_that_is_not_never_comes_again(visit: Visit, client, engine, annotator):
    study = make_study(client, engine, prompts=4)
    page = visit(annotator, f"{study.address}/annotate")
    desk = Desk(page).begin()
    skipped = desk.judge("s")
    desk.press("z")
    expect(desk.comparison).to_contain_text(skipped.answers[0])
    desk.judge("s")
    seen = [desk.judge("a") for _ in range(3)]
    expect(page.get_by_role("heading", name="All done for now")).to_be_visible()
    assert skipped not in seen

    for _ in range(100):
        if study.states().get("skipped"):
            break
        page.wait_for_timeout(100)
    assert study.states() == {"judged": 3, "skipped": 1}


def test_writing_a_comment_fires_no_key(visit: Visit, client, engine, annotator):
    study = make_study(client, engine, prompts=4, protocol={"comment": "optional"})
    page = visit(annotator, f"{study.address}/annotate")
    desk = Desk(page).begin()
    first = desk.shown()
    desk.press("c")
    page.keyboard.type("bats and tzars, not? 12")
    assert desk.shown() == first
    expect(page.get_by_label("Comment")).to_have_value("bats and tzars, not? 12")
    page.reload()  # a sentence once written is not lost either
    desk.begin(guidelines=False)
    page.get_by_text(first.answers[0]).wait_for()
    expect(page.get_by_label("Comment")).to_have_value("bats and tzars, not? 12")
    desk.judge("b")
    desk.all_saved()
    assert [(one.texts, one.ranks, one.comment) for one in study.said()] == [
        (first.answers, (2, 1), "bats and tzars, not? 12")
    ]
    expect(page.get_by_label("Comment")).to_have_value("")


def test_a_required_comment_is_asked_for_after_the_choice(visit: Visit, client, engine, annotator):
    study = make_study(client, engine, prompts=4, protocol={"comment": "required"})
    page = visit(annotator, f"{study.address}/annotate")
    desk = Desk(page).begin()
    first = desk.shown()
    desk.press("a")
    expect(page.get_by_label("Comment, required")).to_be_focused()
    page.keyboard.press("Enter")  # nothing written yet
    assert desk.shown() == first
    page.keyboard.type("It names its source.")
    page.keyboard.press("Enter")
    desk.leaves(first)
    desk.all_saved()
    assert [(one.ranks, one.comment) for one in study.said()] == [((1, 2), "It names its source.")]


def test_keys_can_be_switched_off_and_given_to_others(visit: Visit, study, annotator):
    page = visit(annotator, "/preferences")
    page.get_by_role("button", name="Key for “Left (A) is better”").click()
    page.keyboard.press("b")
    expect(page.get_by_role("alert")).to_contain_text("taken by “Right (B) is better”")
    page.keyboard.press("q")
    expect(page.get_by_role("button", name="Key for “Left (A) is better”: Q")).to_be_visible()
    page.goto(f"{study.address}/annotate")
    desk = Desk(page).begin()
    first = desk.shown()
    desk.press("a")
    assert desk.shown() == first
    desk.judge("q")

    page.goto("/preferences")
    page.get_by_label("Single keys judge").uncheck()
    page.goto(f"{study.address}/annotate")
    desk.begin(guidelines=False)
    second = desk.shown()
    for key in "qabtnszvdpfmer":
        desk.press(key)
    assert desk.shown() == second
    page.get_by_role("button", name="B is better").click()
    desk.leaves(second)
    desk.all_saved()
    assert [(one.texts, one.ranks) for one in study.said()] == [(first.answers, (1, 2)), (second.answers, (2, 1))]


def test_a_question_mark_lists_every_key(visit: Visit, study, annotator):
    page = visit(annotator, f"{study.address}/annotate")
    desk = Desk(page).begin()
    desk.press("?")
    sheet = page.get_by_role("dialog", name="Keys")
    for action in ("Left (A) is better", "Tie", "None is acceptable", "Skip", "Undo the last one", "Change the layout"):
        expect(sheet).to_contain_text(action)
    first_key = sheet.get_by_text("A", exact=True).first
    expect(first_key).to_be_visible()
    before = page.locator("article[aria-label=Comparison]").first.text_content()
    page.keyboard.press("a")  # a dialog is no place to judge from
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    assert page.locator("article[aria-label=Comparison]").first.text_content() == before
    assert study.said() == []


def test_layouts_differences_and_plain_text(visit: Visit, client, engine, annotator):
    left, right = "It is **bold** and short.", "It is **bold** and long."
    study = make_study(client, engine, answers=[("Which is it?", left), ("Which is it?", right)])
    page = visit(annotator, f"{study.address}/annotate")
    desk = Desk(page).begin()

    def places() -> list[tuple[float, float]]:
        boxes = [answer.bounding_box() for answer in desk.answers.all()]
        return [(box["x"], box["y"]) for box in boxes if box]

    (one, two) = places()
    assert one[0] < two[0] and one[1] == two[1], "side by side"
    desk.press("v")
    expect(page.get_by_role("button", name="Below each other", pressed=True)).to_be_visible()
    (one, two) = places()
    assert one[0] == two[0] and one[1] < two[1], "below each other"
    desk.press("v")
    expect(desk.answers).to_have_count(1)
    front = desk.answers.inner_text()
    desk.press("x")
    expect(desk.answers).not_to_have_text(front)
    desk.press("v")
    expect(desk.answers).to_have_count(2)

    assert desk.answers.locator("strong").all_inner_texts() == ["bold", "bold"]
    desk.press("p")
    expect(desk.answers.locator("strong")).to_have_count(0)
    expect(desk.answers.first).to_contain_text("**bold**")
    desk.press("d")
    assert sorted(desk.answers.locator("mark").all_inner_texts()) == ["long", "short"]
    assert study.said() == []


def test_degrees_of_better(visit: Visit, client, engine, annotator):
    study = make_study(client, engine, prompts=6, protocol={"strength_levels": 2})
    page = visit(annotator, f"{study.address}/annotate")
    desk = Desk(page).begin()
    first = desk.shown()
    desk.press("a")  # one of five degrees is asked for, so a bare "A" says too little
    assert desk.shown() == first
    for key in "12345":
        desk.judge(key)
    desk.all_saved()
    assert [(one.ranks, one.strength) for one in study.said()] == [
        ((1, 2), 2), ((1, 2), 1), ((1, 1), None), ((2, 1), 1), ((2, 1), 2)
    ]  # fmt: skip


def test_four_answers_are_ranked_by_digits(visit: Visit, client, engine, annotator):
    study = make_study(client, engine, prompts=4, protocol={"size": 4})
    page = visit(annotator, f"{study.address}/annotate")
    desk = Desk(page).begin()
    first = desk.shown()
    assert len(first.answers) == 4
    for key in "31":
        desk.press(key)
    page.keyboard.press("Backspace")
    for key in "2t4":
        desk.press(key)
    assert desk.shown() == first, "one place is still open"
    expect(page.get_by_role("group", name="Judgment")).to_contain_text("3 > 2 = 4 > ?")
    page.keyboard.press("1")
    desk.leaves(first)
    second = desk.shown()
    desk.press("4")
    page.keyboard.press("Enter")  # the rest is equal
    desk.leaves(second)
    desk.all_saved()
    assert [one.ranks for one in study.said()] == [(3, 2, 1, 2), (2, 2, 2, 1)]


def test_on_a_phone_a_thumb_is_enough(visit: Visit, study, annotator):
    page = visit(annotator, f"{study.address}/annotate", size=PHONE, has_touch=True, is_mobile=True)
    page.get_by_role("button", name="Start judging").tap()
    desk = Desk(page)
    expect(desk.answers).to_have_count(1)
    one = desk.answers.inner_text()
    page.get_by_role("button", name="Answer B").tap()
    expect(desk.answers).not_to_have_text(one)
    two = desk.answers.inner_text()
    page.wait_for_timeout(80)
    page.get_by_role("button", name="B is better").tap()
    expect(desk.answers.filter(has_text=two)).to_have_count(0)
    desk.all_saved()
    assert [(said.texts, said.ranks) for said in study.said()] == [((one.strip(), two.strip()), (2, 1))]
