"""`podium demo`: Podium on this machine, the whole loop in it with small models and simulated people."""

import json
from pathlib import Path

import click
from rich.console import Console

from backend.cli.processes import build_pages, clock, with_options
from backend.client import Client, Json
from backend.demo import table
from backend.demo.annotators import EMAIL_DOMAIN
from backend.demo.display import Display
from backend.demo.recipe import Names
from backend.demo.record import Record
from backend.demo.tour import STAGES, Tour, account
from backend.up import Podium, Signals, running


@click.command()
@click.option(
    "--exit", "leave", is_flag=True, help="End after the table, instead of staying up for you to look around."
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True, help="Other texts and people.")
@click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), help="Write the table to a file as JSON too."
)
@click.option("--host", help="Address to listen on; 127.0.0.1 is this machine only.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on; 8000.")
def demo_command(leave: bool, seed: int, report: Path | None, host: str | None, port: int | None) -> None:
    """The whole loop with small models and simulated people, on a laptop.

    What was interrupted goes on where it stopped; what is finished is shown again. Everything is kept in
    PODIUM_DATA_DIR, each seed in projects of its own.
    """
    settings = with_options(host=host, port=port)
    say = clock()
    finished = False
    with Signals() as signals:
        try:
            build_pages(say)
            with running(settings, say, signals.hurry) as podium:
                say("ready")
                found = tour(podium, seed)
                finished = True
                if report is not None:
                    report.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
                if leave:
                    return
                click.echo("\n  Podium stays up; Ctrl-C stops it.")
                signals.wait()
        except KeyboardInterrupt:
            say("stopped")
            if not finished:
                raise  # whoever started it in a script must not take this for a demo


def tour(podium: Podium, seed: int) -> Json:
    """Everything of one seed, with its table at the end."""
    names = Names(seed)
    console = Console(highlight=False)
    record = Record.load(podium.settings.data_dir, names.namespace)
    settings = podium.settings.model_copy(update={"url": podium.url, "token": podium.token})
    with Client(settings) as client:
        titles = {name: title for name, (title, _) in STAGES.items()}
        expected = {name: seconds for name, (_, seconds) in STAGES.items()}
        guide = Tour(client, seed, record, Display(console, titles, expected))
        found = guide.run()
        table.show(console, found)
        accounts = newcomers(client, podium, record)
        place = str(podium.settings.data_dir)
        table.where_to_look(console, podium.settings.base_url, found, (guide.project, guide.after), accounts, place)
    return found


def newcomers(client: Client, podium: Podium, record: Record) -> list[table.Account]:
    """An annotator and an admin to sign in as; the same ones at every start."""
    if podium.first_admin is not None:
        record.keep_password(*podium.first_admin)
    first = podium.settings.admin_email
    admin = first if first in record.passwords else f"admin@{EMAIL_DOMAIN}"
    return [
        (email, account(client, record, email, f"Demo {role}", role), f"Sign in as {words}")
        for email, role, words in (
            (f"annotator@{EMAIL_DOMAIN}", "annotator", "an annotator"),
            (admin, "admin", "the admin"),
        )
    ]
