"""Who gets in, who sees what, and how it looks at night."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.desk import Desk
from tests.browser.study import PASSWORD

pytestmark = pytest.mark.browser

REFUSED = r"status of 40[134]"


def fill_in(page: Page, email: str, password: str) -> None:
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_a_wrong_password_is_refused_in_words_and_the_right_one_leads_where_one_wanted_to_go(
    visit: Visit, study, annotator
):
    page = visit(None, f"{study.address}/annotate", expects=(REFUSED,))
    expect(page).to_have_title("Sign in · Podium")
    fill_in(page, annotator.email, "not the password")
    expect(page.get_by_role("alert")).to_contain_text("password")
    expect(page.get_by_label("Email")).to_have_value(annotator.email)
    fill_in(page, annotator.email, PASSWORD)
    expect(page).to_have_url(f"{study.address}/annotate")
    Desk(page).begin()


def test_after_signing_out_nothing_can_be_read_any_more(visit: Visit, study, annotator):
    page = visit(annotator, f"{study.address}/mine", expects=(REFUSED,))
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url("/login")
    page.go_back()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.goto(f"{study.address}/annotate")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_link_from_elsewhere_cannot_lead_away_after_signing_in(visit: Visit, study, annotator):
    for target in ("https://stranger.example/", "//stranger.example", "/\\stranger.example"):
        page = visit(None, f"/login?next={target}")
        fill_in(page, annotator.email, PASSWORD)
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        assert page.url.startswith(page.evaluate("location.origin"))


def test_an_invitation_works_once(visit: Visit, client):
    invitation = client.post("invitations", {"role": "annotator", "email": "invited@browser.example"})
    page = visit(None, f"/invitations/{invitation['token']}", expects=(REFUSED, r"status of 4(10|22)"))
    expect(page.get_by_label("Email")).to_have_value("invited@browser.example")
    page.get_by_label("Password").fill("short")
    page.get_by_role("button", name="Create the account").click()
    expect(page.get_by_label("Password")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create the account").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()

    other = visit(None, f"/invitations/{invitation['token']}", expects=(REFUSED, r"status of 410"))
    expect(other.get_by_role("heading", name="This invitation cannot be used")).to_be_visible()


def test_an_annotator_sees_no_page_of_an_admin(visit: Visit, study, annotator, client):
    page = visit(annotator, "/projects", expects=(REFUSED, r"only for admins"))
    menu = page.get_by_role("navigation", name="Main")
    expect(menu.get_by_role("link", name="My work")).to_be_visible()
    for name in (
        "Overview",
        "Leaderboard",
        "Judgments",
        "Rewards",
        "Runs",
        "Checkpoints",
        "Models",
        "People",
        "Settings",
    ):
        expect(menu.get_by_role("link", name=name)).to_have_count(0)
    study.judge(4)
    names = study.models()
    prompt = client.get(f"projects/{study.slug}/prompts", limit=1)["items"][0]["id"]
    for path in (
        study.address, f"{study.address}/prompts", f"{study.address}/prompts/{prompt}", f"{study.address}/leaderboard",
        f"{study.address}/judgments", f"{study.address}/rewards", f"{study.address}/settings",
        f"{study.address}/new-run", "/runs", "/checkpoints", "/models", "/people", "/new-project",
    ):  # fmt: skip
        page.goto(path)
        page.wait_for_load_state("networkidle")
        seen = page.locator("body").inner_text()
        assert not [name for name in names if name in seen], f"{path} tells of a model"
        expect(page.get_by_text("only for admins"), path).to_be_visible()


def test_the_night_is_dark(visit: Visit, study, annotator):
    def brightness(page: Page) -> float:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]) / 3

    page = visit(annotator, "/preferences", scheme="dark")
    assert brightness(page) < 60
    page.get_by_label("Light").check()
    assert brightness(page) > 200
    page.reload()
    expect(page.get_by_role("heading", name="Looks")).to_be_visible()
    assert brightness(page) > 200, "the choice is remembered"
    page.get_by_label("As the system").check()
    page.emulate_media(color_scheme="light")
    assert brightness(page) > 200
