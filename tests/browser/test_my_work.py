"""What annotators see of their own work: numbers with error bars, the stage, the way back to each judgment."""

import re

import pytest
from playwright.sync_api import Page, expect

from backend.client import Client
from tests.browser.conftest import Visit, make_person
from tests.browser.desk import Desk
from tests.browser.study import Study, make_study
from tests.browser.test_languages import judge

pytestmark = pytest.mark.browser


def line(page: Page, name: str):
    """One of the shares, by its heading."""
    return page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=name, exact=True))


def test_the_numbers_are_those_of_the_database_and_say_what_they_mean(visit: Visit, client: Client, engine, annotator):
    study = make_study(client, engine, prompts=30)
    page = visit(annotator, f"{study.address}/mine")
    expect(page.get_by_role("heading", name="Nothing judged yet")).to_be_visible()
    expect(page.get_by_role("heading", name="How you judge")).to_have_count(0)

    judge(page, study, 20)  # the first shown each time, a minute and a second each
    page.reload()
    numbers = page.locator("dl").first
    for name, value in (
        ("judged today", "20"), ("judged in all", "20"), ("at work today", "20 min 20 s"),
        ("at work in all", "20 min 20 s"), ("for a typical judgment", "1 min 1 s"), ("skipped", "0"),
    ):  # fmt: skip
        expect(numbers.locator("div").filter(has_text=name)).to_contain_text(value)
    side = line(page, "Lean to a side")
    expect(side.get_by_role("img")).to_have_accessible_name(
        "Lean to a side: 100%, with 95 % certainty between 84% and 100%"
    )
    expect(side).to_contain_text("wins more often than chance explains")
    expect(line(page, "Agreement with the others")).to_contain_text("Nobody else has judged")
    expect(page.get_by_role("heading", name="Who judged how much")).to_have_count(0)

    client.patch(f"projects/{study.slug}", {"people_ranking": True})
    page.reload()
    expect(page.get_by_role("table")).to_contain_text(re.compile(rf"1{re.escape(annotator.email)} \(you\)20"))


def test_any_judgment_can_be_given_again(visit: Visit, study: Study, annotator):
    page = visit(annotator, f"{study.address}/annotate")
    desk = Desk(page).begin()
    judged = [desk.judge("a") for _ in range(3)]
    desk.all_saved()
    page.goto(f"{study.address}/mine")
    page.get_by_role("link", name=f"Judge again: {judged[0].prompt}").click()
    expect(desk.comparison).to_contain_text(judged[0].answers[0])
    assert desk.shown() == judged[0], "the same answers on the same sides"
    page.reload()  # which takes nothing back a second time
    expect(desk.comparison).to_be_visible()
    assert desk.shown() == judged[0]
    desk.judge("b")
    desk.all_saved()
    said = [(one.texts, one.ranks, one.voided) for one in study.said()]
    assert said == [
        (judged[0].answers, (1, 2), True),
        (judged[1].answers, (1, 2), False),
        (judged[2].answers, (1, 2), False),
        (judged[0].answers, (2, 1), False),
    ]


def test_it_says_how_far_practice_and_qualification_are(visit: Visit, client: Client, engine):
    study = make_study(client, engine, prompts=6)
    rows = client.get(f"projects/{study.slug}/completions", limit=100)["items"]
    by_prompt: dict[str, list[str]] = {}
    for row in rows:
        by_prompt.setdefault(row["prompt"], []).append(row["id"])
    for prompt, use in zip(by_prompt, ("practice", "practice", "qualification"), strict=False):
        body = {"prompt": prompt, "completions": by_prompt[prompt], "ranks": [1, 2], "use": use}
        client.post(f"projects/{study.slug}/gold", body)
    page = visit(make_person(client, "annotator"), f"{study.address}/mine")
    expect(page.get_by_text("Practice: 0 of 2 done.")).to_be_visible()
    judge(page, study, 1)
    page.reload()
    expect(page.get_by_role("progressbar", name="Practice")).to_have_attribute("aria-valuenow", "1")
