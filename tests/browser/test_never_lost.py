"""No judgment is lost and none is made twice: without a network, without a server, over reloads, in two tabs."""

import os
import signal
from contextlib import suppress

import psutil
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit, make_person, sign_in
from tests.browser.desk import Desk, Shown
from tests.browser.server import Server
from tests.browser.study import Study
from tests.browser.watch import SIGNED_OUT, UNREACHABLE

pytestmark = pytest.mark.browser

RANKS = {"a": (1, 2), "b": (2, 1), "t": (1, 1), "n": None}


@pytest.fixture
def page(visit: Visit, study, annotator) -> Page:
    """The annotate page of the study, whose server may go away."""
    return visit(annotator, f"{study.address}/annotate", expects=(UNREACHABLE,))


def is_stored(study: Study, judged: list[tuple[Shown, str]]) -> None:
    """Exactly these, once each, all counted, in the order in which they were made."""
    said = study.said()
    assert [(one.texts, one.ranks) for one in said] == [(shown.answers, RANKS[key]) for shown, key in judged]
    assert all(one.counted and not one.voided for one in said)


def test_ten_judgments_without_a_server_are_shown_as_kept_and_stored_once(page: Page, study):
    desk = Desk(page).begin()
    server = Server(page)
    server.is_unreachable("judgments")
    judged = [(desk.judge(key), key) for key in "abtnabtnab"]
    expect(desk.unsaved).to_contain_text("Offline, 10 kept")
    assert study.said() == []
    server.answers()
    desk.unsaved.click()
    desk.all_saved()
    is_stored(study, judged)


def test_without_a_network_one_goes_on_with_what_was_fetched_and_all_is_sent_when_it_is_back(page: Page, study):
    desk = Desk(page).begin()
    page.context.set_offline(True)
    judged: list[tuple[Shown, str]] = []
    while desk.comparison.count():
        judged.append((desk.judge("ab"[len(judged) % 2]), "ab"[len(judged) % 2]))
    assert len(judged) >= 10
    expect(desk.unsaved).to_contain_text(f"Offline, {len(judged)} kept")
    expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached.")
    page.context.set_offline(False)
    desk.all_saved()
    is_stored(study, judged)
    expect(desk.comparison).to_be_visible()  # the next ones come by themselves
    judged.append((desk.judge("t"), "t"))
    desk.all_saved()
    is_stored(study, judged)


def test_an_answer_lost_on_its_way_back_makes_no_second_judgment(page: Page, study):
    desk = Desk(page).begin()
    server = Server(page)
    server.loses_answers("judgments")
    judged = [(desk.judge(key), key) for key in "abt"]
    expect(desk.unsaved).to_contain_text("Offline, 3 kept")
    desk.unsaved.click()
    page.wait_for_timeout(200)
    assert server.lost >= 2, "the first one has been sent more than once"
    server.answers()
    desk.unsaved.click()
    desk.all_saved()
    is_stored(study, judged)


def test_a_reload_in_the_middle_loses_nothing_and_shows_nothing_twice(page: Page, study):
    desk = Desk(page).begin()
    server = Server(page)
    server.is_unreachable("judgments")
    judged = [(desk.judge(key), key) for key in "aba"]
    page.reload()
    desk.begin(guidelines=False)
    expect(desk.unsaved).to_contain_text("Offline, 3 kept")
    judged += [(desk.judge(key), key) for key in "bt"]
    expect(desk.unsaved).to_contain_text("Offline, 5 kept")
    page.reload()
    server.answers()
    desk.begin(guidelines=False)
    desk.all_saved()
    is_stored(study, judged)


def test_a_reload_goes_on_with_the_same_comparison(page: Page, study):
    desk = Desk(page).begin()
    desk.judge("a")
    desk.all_saved()
    before = desk.shown()
    page.reload()
    desk.begin(guidelines=False)
    assert desk.shown() == before, "the same answers on the same sides"


def test_what_is_unsent_is_sent_from_any_page_later(page: Page, study, annotator):
    desk = Desk(page).begin()
    server = Server(page)
    server.is_unreachable("judgments")
    judged = [(desk.judge(key), key) for key in "ab"]
    context = page.context
    page.close()
    again = context.new_page()
    again.goto("/projects")
    expect(again.get_by_role("button", name="2 unsent, offline")).to_be_visible()
    server.answers()
    again.get_by_role("button", name="2 unsent, offline").click()
    expect(again.get_by_title("Send now")).to_have_count(0)
    is_stored(study, judged)


def test_a_server_that_is_killed_in_the_middle_loses_nothing(page: Page, study, podium):
    desk = Desk(page).begin()
    judged = []
    for turn, key in enumerate("abtabt"):
        if turn == 2:
            for process in psutil.Process(os.getpid()).children(recursive=True):
                with suppress(psutil.NoSuchProcess):  # one that has just ended
                    if process.cmdline()[-1:] == ["api"]:
                        process.send_signal(signal.SIGKILL)
        judged.append((desk.judge(key), key))
    desk.all_saved()
    is_stored(study, judged)


def test_two_tabs_never_ask_for_the_same_judgment_twice(page: Page, study):
    one = Desk(page).begin()
    two = Desk(page.context.new_page())
    two.page.goto(f"{study.address}/annotate")
    two.begin(guidelines=False)
    judged = []
    for desk, key in [(one, "a"), (two, "b"), (one, "t"), (two, "a"), (two, "b"), (one, "a")]:
        desk.page.bring_to_front()
        judged.append((desk.judge(key), key))
        desk.all_saved()
    is_stored(study, judged)

    # Closing one leaves the other its comparisons.
    two.page.close()
    judged += [(one.judge(key), key) for key in "ababab"]
    one.all_saved()
    is_stored(study, judged)
    assert len({shown.answers for shown, _ in judged}) == 12


def test_judgments_made_after_the_session_ended_are_sent_after_signing_in_again(page: Page, study, annotator, watch_of):
    watch_of(page).expect(r"status of 401")
    desk = Desk(page).begin()
    judged = [(desk.judge("a"), "a")]
    desk.all_saved()
    page.context.clear_cookies()
    judged += [(desk.judge(key), key) for key in "bt"]
    page.get_by_role("link", name="Sign in again, 2 kept").click()
    page.get_by_label("Email").fill(annotator.email)
    page.get_by_label("Password").fill(annotator.password)
    page.get_by_role("button", name="Sign in").click()
    desk.begin(guidelines=False)
    desk.all_saved()
    is_stored(study, judged)


def test_what_somebody_else_leaves_unsent_in_the_same_browser_is_not_sent_in_my_name(
    page: Page, study, client, watch_of
):
    # The page may try once more just when nobody is signed in.
    watch_of(page).expect(SIGNED_OUT, r"/api/v1/judgments/.*status of 401")
    desk = Desk(page).begin()
    server = Server(page)
    server.is_unreachable("judgments")
    desk.judge("a")
    expect(desk.unsaved).to_contain_text("Offline, 1 kept")
    other = make_person(client, "annotator")
    page.context.clear_cookies()
    server.answers()
    sign_in(page.context, other)
    page.reload()
    Desk(page).begin()
    desk.all_saved()
    assert study.said() == []
