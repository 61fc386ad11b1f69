"""What an admin does in the pages: a project, its data, the leaderboard, rewards, runs."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from backend.client import Client
from tests.browser.conftest import Visit
from tests.browser.example import DOCUMENTS, new_name, wait_for_run
from tests.browser.server import Server
from tests.browser.study import MODELS, Study, send

pytestmark = pytest.mark.browser


def jsonl(*rows: object) -> bytes:
    return "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows).encode()


def test_a_project_is_made_and_a_file_imported_and_its_bad_lines_are_told(visit: Visit, admin, client):
    page = visit(admin, "/projects")
    page.get_by_role("link", name="New project").first.click()
    page.get_by_label("Name", exact=True).fill("Made in the page")
    page.get_by_label("Guidelines").fill("Prefer the **shorter** one.")
    page.get_by_label("A tie is an answer").uncheck()
    page.get_by_role("button", name="Make the project").click()
    expect(page.get_by_role("heading", name="Made in the page", level=1)).to_be_visible()
    expect(page).to_have_title("Made in the page · Podium")
    made = client.get("projects/made-in-the-page")
    assert (made["guidelines"], made["protocol"]["allow_tie"]) == ("Prefer the **shorter** one.", False)

    good = [
        {"prompt": f"Prompt {n}", "model": model, "completion": f"{model} on {n}"} for n in range(3) for model in "xy"
    ]
    rows = jsonl(*good, "{ this is no JSON", {"prompt": "no answer", "model": "x"}, good[0])
    page.get_by_label("File to import").set_input_files(
        {"name": "answers.jsonl", "mimeType": "application/jsonl", "buffer": rows}
    )
    report = page.get_by_role("status").filter(has_text="answers.jsonl")
    expect(report).to_contain_text("3 prompts, 2 models, 6 completions new")
    expect(report).to_contain_text("1 there already")
    rejected = report.get_by_role("row")
    expect(rejected).to_have_count(3)  # the head, and two bad lines
    expect(rejected.nth(1)).to_contain_text("7")
    expect(rejected.nth(2)).to_contain_text("8")
    # What was imported is there at once.
    expect(page.get_by_role("navigation", name="The flow of this project")).to_contain_text("Completions6")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Prompts").click()
    page.get_by_role("link", name="Prompt 1").click()
    expect(page.get_by_text("x on 1")).to_be_visible()
    expect(page.get_by_role("heading", name="x", exact=True)).to_be_visible()


def test_a_file_that_is_none_is_refused_in_words(visit: Visit, admin, study):
    page = visit(admin, study.address, expects=(r"status of 4\d\d",))
    page.get_by_label("File to import").set_input_files(
        {"name": "holiday.jpg", "mimeType": "image/jpeg", "buffer": b"\xff\xd8\xff\xe0 no text"}
    )
    expect(page.get_by_role("alert")).to_contain_text("file")


def test_an_import_that_did_not_get_through_goes_on_at_a_click(visit: Visit, admin, study, client):
    page = visit(admin, study.address, expects=("ERR_CONNECTION_FAILED",))
    server = Server(page)
    server.is_unreachable(f"projects/{study.slug}/imports")
    before = client.get(f"projects/{study.slug}")["counts"]["prompts"]
    page.get_by_label("File to import").set_input_files(
        {"name": "late.jsonl", "mimeType": "application/jsonl", "buffer": jsonl({"prompt": "A late question?"})}
    )
    problem = page.get_by_role("alert")
    expect(problem).to_contain_text("late.jsonl")
    server.answers()
    problem.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("status").filter(has_text="late.jsonl")).to_contain_text("1 prompt new")
    expect(problem).to_have_count(0)
    assert client.get(f"projects/{study.slug}")["counts"]["prompts"] == before + 1


def test_the_leaderboard_follows_the_judgments_and_rewards_are_frozen(visit: Visit, admin, study, client):
    study.judge(24)
    page = visit(admin, f"{study.address}/leaderboard")
    rows = page.get_by_role("row")
    expect(rows).to_have_count(3)
    expect(rows.nth(1)).to_contain_text(MODELS[0])
    expect(rows.nth(2)).to_contain_text(MODELS[1])
    expect(page.get_by_text("From 24 judgments")).to_be_visible()

    # The page shows what the server's own default gives, and says which K that is.
    own = client.get(f"projects/{study.slug}/ratings", of="models")
    expect(rows.nth(1)).to_contain_text(f"{own['items'][0]['rating']:,.0f}")
    expect(page.get_by_label("K", exact=True)).to_have_value(f"{own['k']:g}")
    page.get_by_label("K", exact=True).fill("64")
    expect(rows.nth(1)).not_to_contain_text(f"{own['items'][0]['rating']:,.0f}")
    page.get_by_label("Bradley-Terry").check()
    expect(rows.nth(1)).to_contain_text("±")

    page.get_by_role("navigation", name="Main").get_by_role("link", name="Rewards").click()
    page.get_by_role("button", name="New reward set").click()
    page.get_by_label("Name").fill("First round")
    page.get_by_role("button", name="Freeze the rewards").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("First round")
    (made,) = client.get(f"projects/{study.slug}/reward-sets")["items"]
    assert (made["name"], made["judgments"]) == ("First round", 24)
    # Judgments that come later change nothing in it.
    study.judge(4)
    assert client.get(f"reward-sets/{made['id']}")["judgments"] == 24


def test_invited_people_and_tokens(visit: Visit, admin, client):
    page = visit(admin, "/people")
    page.get_by_role("button", name="Invite").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="link").first.click()
    link = dialog.get_by_text("/invitations/").first
    expect(link).to_be_visible()
    address = next(part for part in link.inner_text().split() if "/invitations/" in part)
    guest = visit(None, "/invitations/" + address.split("/invitations/")[1])
    expect(guest.get_by_text("You are invited as an annotator")).to_be_visible()


@pytest.fixture
def documents(study: Study, client: Client) -> str:
    """The address of a project with texts to train on."""
    send(client, study.slug, "documents", [{"text": text} for text in DOCUMENTS])
    return study.address


SMALL = {"Hidden size": 32, "Layers": 1, "Heads": 2, "Vocabulary size": 320, "Context tokens": 48, "Texts per step": 16}


def start_pretraining(page: Page, documents: str, values: dict[str, object]) -> None:
    """Fill in the form that is drawn from the schema, and send it."""
    page.goto(f"{documents}/new-run")
    page.get_by_role("link", name="Pretrain a language model").click()
    page.get_by_text("more settings").click()
    for label, value in (SMALL | values).items():
        page.get_by_label(label).first.fill(str(value))
    page.get_by_role("button", name="Start the run").click()


def test_a_run_is_started_from_its_form_and_watched_to_its_checkpoint(visit: Visit, admin, documents, client):
    page = visit(admin, "/runs", expects=(r"status of 422",))
    name = new_name("seen")
    start_pretraining(page, documents, {"Epochs": 2, "Layers": 0, "Output name": name})
    wrong = page.get_by_label("Layers")
    expect(wrong).to_be_focused()
    expect(wrong).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("This has to be from 1 to 256.")).to_be_visible()
    wrong.fill("1")

    # What only the server can know is told at its field, too.
    page.get_by_label("Heads").fill("5")
    page.get_by_role("button", name="Start the run").click()
    expect(page.get_by_text("hidden_size must be a multiple of heads")).to_be_visible()
    page.get_by_label("Heads").fill("2")
    page.get_by_role("button", name="Start the run").click()

    curve = page.get_by_role("img", name="Curve of").first
    expect(curve).to_be_visible(timeout=120_000)
    expect(page.get_by_role("log")).to_be_attached()
    expect(page.get_by_role("region", name="Completion").first).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Done in")).to_be_visible(timeout=120_000)
    # All curves are read at one step without a pointer.
    step = page.get_by_role("slider", name="Read at step")
    step.focus()
    page.keyboard.press("Home")
    first = client.get(f"runs/{page.url.rsplit('/', 1)[1]}/metrics")["items"][0]
    expect(step).to_have_attribute("aria-valuetext", f"step {first['step']}")

    with page.expect_download() as download:
        page.get_by_role("link", name="Save for TensorBoard").click()
    assert ".tfevents." in download.value.suggested_filename
    assert b"train/loss" in Path(download.value.path()).read_bytes()
    page.get_by_role("link", name="Its checkpoint").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    expect(page.get_by_text("model.safetensors")).to_be_visible()
    expect(page.get_by_text("podium pull").first).to_be_visible()


def test_a_run_is_stopped_and_can_be_resumed(visit: Visit, admin, documents, client):
    page = visit(admin, "/runs")
    start_pretraining(page, documents, {"Epochs": 9000, "Output name": new_name("stopped")})
    expect(page.get_by_role("progressbar", name="Progress")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Running, step")).to_be_visible(timeout=120_000)
    run = page.url.rsplit("/", 1)[1]

    # One that waits behind it is cancelled before it begins.
    start_pretraining(page, documents, {"Output name": new_name("waiting")})
    expect(page.get_by_text("Waiting for a free worker.")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled before it")).to_be_visible()

    page.goto("/runs")
    page.get_by_role("row").filter(has_text="running").get_by_role("link").click()
    page.get_by_role("button", name="Stop and save").press("Enter")
    expect(page.get_by_text("Cancelled at step")).to_be_visible(timeout=60_000)
    # The button is gone; who uses the keyboard is where the state stands, and who listens is told.
    expect(page.locator(":focus")).to_contain_text("Cancelled at step")
    expect(page.locator("#announcer")).to_contain_text("It has stopped.")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    assert wait_for_run(client, run, "cancelled")["moves"] == ["resume"]

    # Its settings are taken over, and what is changed is told.
    page.get_by_role("link", name="Repeat with changes").click()
    changes = page.get_by_role("region", name="Changes")
    expect(changes).to_contain_text("nothing is changed yet")
    expect(page.get_by_label("Hidden size")).to_have_value("32")
    expect(page.get_by_label("Output name")).to_have_value("")
    expect(page.get_by_text("more settings, 1 of them changed")).to_be_visible()
    page.get_by_label("Epochs").fill("1")
    expect(changes).to_contain_text("Epochs: 9,000 → 1")
    page.get_by_label("Name of the run").fill("Once only")
    page.get_by_role("button", name="Start the run").click()
    again = page.get_by_role("heading", level=1, name="Once only")
    expect(again).to_be_visible()
    repeated = page.url.rsplit("/", 1)[1]
    # Both are chosen in the list, by keyboard, and seen over each other.
    page.goto("/runs")
    for id in (run, repeated):
        row = page.get_by_role("row").filter(has=page.locator(f"a[href$='{id}']"))
        row.get_by_role("checkbox").focus()
        page.keyboard.press("Space")
        expect(row.get_by_role("checkbox")).to_be_checked()
    page.get_by_role("link", name="Compare their curves").press("Enter")
    differences = page.get_by_role("region", name="Differences")
    expect(differences.get_by_role("row", name="Epochs")).to_contain_text("9,000")
    assert run in page.url
    assert repeated in page.url
    differences.get_by_role("button", name="Take Once only away").click()
    expect(differences).to_be_hidden()
    page.goto("/runs")
    page.get_by_label("Part of the name").fill("once ON")
    expect(page.get_by_role("row")).to_have_count(2)
    assert client.post(f"runs/{repeated}/cancel")["config"]["hidden_size"] == 32
