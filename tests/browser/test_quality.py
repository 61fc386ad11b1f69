"""What an admin does about the quality of the work: setting it up, gold, people, flags and skips, disagreements."""

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from backend.client import Client
from tests.browser.conftest import Visit, make_person
from tests.browser.study import MODELS, Person, Study, make_study

pytestmark = pytest.mark.browser

Json = dict[str, Any]
Call = Callable[..., Any]


def caller(page: Page) -> Call:
    """REST in the name of whoever is signed in to this window."""
    csrf = page.request.get("/api/v1/me").json()["csrf_token"]

    def call(method: str, path: str, body: object = None) -> Any:
        headers = {"X-CSRF-Token": csrf}
        answer = page.request.fetch(f"/api/v1/{path}", method=method, data=body, headers=headers)
        assert answer.ok, answer.text()
        return answer.json() if answer.status != 204 else None

    return call


def judge(call: Call, study: Study, better: str, comment: str | None = None) -> Json:
    """Judge the next comparison: the answer of this model is better."""
    (item,) = call("POST", f"projects/{study.slug}/comparisons/next?count=1")["items"]
    first = study.texts[item["completions"][0]["text"]] == better
    body = {"comparison": item["id"], "lease": item["lease"]["id"], "ranks": [1, 2] if first else [2, 1]}
    call("PUT", f"judgments/{uuid.uuid4()}", body | ({"comment": comment} if comment else {}))
    shown: Json = item
    return shown


def press(page: Page, key: str, times: int = 1) -> None:
    for _ in range(times):
        page.keyboard.press(key)


def test_a_project_is_made_from_a_template_with_its_screen_beside_it(visit: Visit, admin, client: Client):
    page = visit(admin, "/new-project")
    preview = page.get_by_test_id("annotator-preview")
    expect(preview.get_by_text("is better").first).to_be_attached()
    page.get_by_label("Rank four").check()
    expect(preview.locator("[data-answer]")).to_have_count(4)
    page.get_by_label("Detailed review").check()
    expect(preview.locator("[data-answer]")).to_have_count(2)
    expect(preview).to_contain_text("Truthful")
    page.get_by_label("Phrases to hide").fill("as a language model by *,")
    expect(preview).to_contain_text("▇▇▇ I am happy to help!")
    page.get_by_role("button", name="Remove aspect 3").click()
    expect(preview).not_to_contain_text("Clear")

    # What is wrong is told at its field, and nothing is sent.
    page.get_by_label("Repeats (%)").fill("many")
    page.get_by_role("button", name="Make the project").click()
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    expect(page.get_by_label("Name", exact=True)).to_have_accessible_description(re.compile("needs a name"))
    expect(page.get_by_label("Repeats (%)")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Name", exact=True).fill("A careful review")
    page.get_by_label("Repeats (%)").fill("7.5")
    page.get_by_role("button", name="Make the project").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("A careful review")
    made = client.get("projects/a-careful-review")
    protocol = made["protocol"]
    assert (protocol["strength_levels"], protocol["comment"], protocol["spans"]) == (4, "required", True)
    assert [aspect["name"] for aspect in protocol["aspects"]] == ["Truthful", "Helpful"]
    assert (made["repeat_share"], made["masks"], made["overlap"]) == (0.075, ["as a language model by *,"], 2)


def test_settings_tell_what_a_change_brings_about_and_a_project_is_archived_and_back(
    visit: Visit, admin, study: Study, client: Client
):
    page = visit(admin, f"{study.address}/settings")
    save = page.get_by_role("button", name="Save")
    expect(save).to_be_disabled()
    page.get_by_label("Guidelines").fill("Prefer the shorter one.")
    expect(page.get_by_text("The guidelines become version 2")).to_be_visible()
    page.get_by_role("button", name="Discard changes").click()
    expect(page.get_by_text("become version 2")).to_have_count(0)
    for typed, kept in (("2", 2), ("", None)):
        page.get_by_label("Put aside after so many skips").fill(typed)
        with page.expect_response(lambda answer: answer.request.method == "PATCH"):
            save.click()
        after = client.get(f"projects/{study.slug}")
        assert (after["skips_to_retire"], after["guidelines_version"]) == (kept, 1)
        expect(save).to_be_disabled()

    page.get_by_role("button", name="Archive").click()
    state = page.get_by_role("region", name="State")
    expect(state).to_contain_text("Archived: out of the lists")
    page.goto("/projects")
    expect(page.get_by_role("link", name="New project")).to_be_visible()
    card = page.get_by_role("link", name=study.name, exact=True)
    expect(card).to_have_count(0)
    page.get_by_label("Archived").check()
    card.click()
    page.goto(f"{study.address}/settings")
    page.get_by_role("button", name="Bring back, open").click()
    expect(state).to_contain_text("Open: comparisons are handed out.")
    assert client.get(f"projects/{study.slug}")["state"] == "active"


@pytest.fixture
def dispute(client: Client, engine, visit: Visit) -> tuple[Study, Person, Person]:
    """One prompt on which two people said the opposite of each other."""
    study = make_study(client, engine, prompts=1, overlap=3, protocol={"comment": "optional"})
    one, other = (make_person(client, "annotator", name) for name in ("Ada Careful", "Bob Hasty"))
    judge(caller(visit(one)), study, MODELS[0], "It is true.")
    judge(caller(visit(other)), study, MODELS[1])
    return study, one, other


def test_a_disagreement_is_decided_and_taken_back_by_keyboard_alone(visit: Visit, admin, dispute):
    study, _, _ = dispute
    page = visit(admin, f"{study.address}/disagreements")
    said = page.get_by_role("region", name="What people said")
    expect(said.get_by_role("listitem")).to_have_count(2)
    expect(said).to_contain_text("It is true.")
    # Whose answers these are is told only when asked for.
    expect(page.get_by_text(MODELS[0])).to_have_count(0)
    press(page, "m")
    expect(page.get_by_text(MODELS[0])).to_be_visible()
    press(page, "m")
    press(page, "x")
    expect(page.get_by_label("Set aside what says otherwise")).to_be_checked()
    press(page, "c")
    page.keyboard.type("B names no source.")
    press(page, "Enter")
    press(page, "a")
    expect(page.get_by_role("heading", name="No disagreement to decide")).to_be_visible()
    judged = study.said()
    assert len(judged) == 3
    assert sorted(one.voided for one in judged) == [False, False, True]
    (decision,) = (one for one in judged if one.comment == "B names no source.")
    assert decision.ranks == (1, 2)

    page.get_by_role("button", name="Take the last decision back").press("Enter")
    expect(said.get_by_role("listitem")).to_have_count(2)
    assert sum(not one.voided for one in study.said()) == 2


def test_all_judgments_of_a_person_are_set_aside_and_restored(visit: Visit, admin, dispute):
    study, _, _ = dispute
    page = visit(admin, f"{study.address}/annotators")
    page.get_by_role("link", name="Bob Hasty").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Bob Hasty")
    expect(page.get_by_role("table", name="").get_by_role("row")).to_have_count(2)
    page.get_by_role("button", name="Set all judgments aside").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Set 1 judgment aside").click()
    expect(dialog.get_by_label("Reason")).to_have_attribute("aria-invalid", "true")
    dialog.get_by_label("Reason").fill("Two seconds each.")
    dialog.get_by_role("button", name="Set 1 judgment aside").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_text("Two seconds each.")).to_be_visible()
    assert [one.voided for one in study.said()] == [False, True]
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_text("· restored")).to_be_visible()
    assert [one.voided for one in study.said()] == [False, False]


def test_a_judgment_is_found_by_its_filters_and_told_whole(visit: Visit, admin, dispute):
    study, _, _ = dispute
    page = visit(admin, f"{study.address}/judgments")
    rows = page.get_by_role("region", name="Judgments").get_by_role("row")
    expect(rows).to_have_count(3)
    page.get_by_label("Annotator").select_option(label="Ada Careful")
    expect(rows).to_have_count(2)
    page.get_by_label("Whether they count").select_option("true")
    expect(page.get_by_text("No judgment is like that")).to_be_visible()
    page.get_by_role("button", name="Clear the filters").click()
    expect(rows).to_have_count(3)
    page.get_by_role("link", name="Judgment of Ada Careful").click()
    expect(page.get_by_text("It is true.")).to_be_visible()
    expect(page.get_by_role("region", name="Judgments of the same answers")).to_contain_text("Bob Hasty")
    expect(page.get_by_role("region", name="Text of answer A")).to_contain_text("to question 0")
    page.get_by_role("link", name="Judgments", exact=True).last.click()
    expect(rows).to_have_count(3)


def test_gold_is_added_from_a_prompt_changed_and_retired(visit: Visit, admin, study: Study, client: Client):
    page = visit(admin, f"{study.address}/gold")
    page.get_by_role("link", name="Add gold").first.click()
    page.get_by_label("Search the prompts").fill("Question 7 ")
    page.get_by_role("link", name="Question 7 ").click()
    for model in MODELS:
        page.get_by_role("checkbox", name=model).check()
    page.get_by_role("button", name="Say what is right").click()
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_text("Say which is right.")).to_be_visible()
    page.get_by_label("A is better").check()
    page.get_by_label("Practice").check()
    page.get_by_label("Why").fill("B invents a date.")
    page.get_by_role("button", name="Add it").click()
    row = page.get_by_role("row").filter(has_text="Question 7 ")
    expect(row).to_contain_text("Practice")
    (made,) = client.get(f"projects/{study.slug}/gold")["items"]
    assert (made["ranks"], made["use"], made["explanation"]) == ([1, 2], "practice", "B invents a date.")
    assert [one["model"]["name"].split("/")[1] for one in made["completions"]] == list(MODELS)

    row.get_by_role("link").click()
    page.get_by_label("B is better").check()
    page.get_by_role("button", name="Save").click()
    row.get_by_role("link").click()
    page.get_by_role("button", name="Retire").click()
    expect(page.get_by_role("button", name="Bring back")).to_be_visible()
    (made,) = client.get(f"projects/{study.slug}/gold")["items"]
    assert made["ranks"] == [2, 1]
    assert made["retired_at"] is not None


def test_what_was_skipped_or_flagged_is_counted_and_settled(visit: Visit, admin, annotator, study: Study):
    call = caller(visit(annotator))
    first, second = call("POST", f"projects/{study.slug}/comparisons/next?count=2")["items"]
    call("POST", f"comparisons/{first['id']}/skip", {"reason": "Not in my language"})
    call("POST", f"comparisons/{second['id']}/flag", {"reason": "Holds a phone number"})
    page = visit(admin, f"{study.address}/attention")
    menu = page.get_by_role("navigation", name="Main").get_by_role("link", name="To look at")
    expect(menu).to_have_accessible_name(re.compile("2 open"))
    expect(page.get_by_text("Not in my language")).to_be_visible()
    page.get_by_label("What was done about: Holds a phone number").fill("Removed it")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No open flag")).to_be_visible()
    expect(menu).to_have_accessible_name(re.compile("1 open"))
    page.get_by_label("All", exact=True).check()
    expect(page.get_by_text("Removed it")).to_be_visible()
    page.get_by_role("button", name="Open again").click()
    expect(menu).to_have_accessible_name(re.compile("2 open"))
    page.get_by_role("button", name="Hand out again").click()
    expect(page.get_by_text("Nothing was skipped")).to_be_visible()
