"""Commands for people and scripts that speak REST to a Podium: project, import, export, run, tensorboard, pull."""

import contextlib
import json
import os
import sys
import tomllib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)

from backend.client import Advance, Client, Json, find_project, follow, pull, save_curves
from backend.domain.training import CONFIGS
from backend.errors import Invalid, NotFound
from backend.settings import Settings

SHOWN_REJECTED = 20

PROJECT = click.option("--project", required=True, metavar="NAME", help="Its name, slug or id.")


@contextlib.contextmanager
def bars(*what: str, total: int) -> Iterator[list[Advance]]:
    """Bars of bytes on a terminal's stderr: the first is advanced by what it is told, the others are set to it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        first, *others = [progress.add_task(one, total=total) for one in what]
        setters = [partial(_set, progress, task) for task in others]
        yield [partial(progress.advance, first), *setters]


def _set(progress: Progress, task: TaskID, amount: int) -> None:
    progress.update(task, completed=amount)


@contextlib.contextmanager
def bar(what: str, total: int) -> Iterator[Advance]:
    """One bar of bytes."""
    with bars(what, total=total) as (advance,):
        yield advance


def known_project(client: Client, wanted: str) -> str:
    """Its slug."""
    found = find_project(client, wanted)
    if found is None:
        raise NotFound(f"There is no project {wanted}. `podium project list` shows those there are.")
    return found


@click.group()
def project_command() -> None:
    """Make and list projects."""


@project_command.command("create")
@click.argument("name")
@click.option("--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="JSON or TOML file.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="One field, such as overlap=3.")
def create_project(name: str, config: Path | None, settings: tuple[str, ...]) -> None:
    """Make a project and print its slug."""
    with Client(Settings()) as client:
        click.echo(client.post("projects", {**fields(config, settings), "name": name})["slug"])


@project_command.command("list")
def list_projects() -> None:
    """Slug, state, prompts, judgments, name."""
    with Client(Settings()) as client:
        for project in client.pages("projects"):
            counts = project["counts"]
            numbers = f"{counts['prompts']:8} prompts {counts['judgments']:8} judgments"
            click.echo(f"{project['slug']:30} {project['state']:8} {numbers}  {project['name']}")


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@PROJECT
@click.option("--format", "format_", metavar="FORMAT", help="Told from the file when left out.")
def import_command(paths: tuple[Path, ...], project: str, format_: str | None) -> None:
    """Read prompts, completions, pairs or judgments into a project, which is made when there is none of that name.

    PATH is a file of JSON lines, CSV or Parquet, gzip allowed, a folder of such files, or that of an LLMFAO study.
    Judgments keep their order. What is there already is not doubled, so an import that was stopped can be run again.
    Formats: documents, prompts, demonstrations, completions, pairs, trl, unpaired, judgments, arena, hh-rlhf, llmfao.
    """
    # Formats bring Parquet's library with them, which no other command should wait for.
    from backend.domain.formats import llmfao

    with Client(Settings()) as client:
        slug = find_project(client, project)
        if slug is None:
            slug = client.post("projects", {"name": project})["slug"]
            click.echo(f"made the project {slug}", err=True)
        for path in paths:
            if path.is_dir() and llmfao.is_study(path):
                send(client, slug, path, llmfao.pack(path), format_)
                continue
            for part in data_files(path) if path.is_dir() else [path]:
                with open(part, "rb") as file:
                    send(client, slug, part, file, format_)


DATA_FILES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")


def data_files(folder: Path) -> list[Path]:
    """The files of a folder that can be imported, such as the shards of a data set, in the order of their names."""
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name.lower().removesuffix(".gz").endswith(DATA_FILES)
    ]
    # A data set from the Hub may bring its card as JSON.
    found = [path for path in found if path.name not in ("dataset_info.json", "state.json", "dataset_infos.json")]
    if not found:
        raise Invalid(f"The folder {folder} has no file that ends with {', '.join(DATA_FILES)} (.gz allowed).")
    return found


def send(client: Client, slug: str, path: Path, file: BinaryIO, format_: str | None) -> None:
    """One file into a project, with bars for its way there, what is stored, and its judgments in the ratings."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    with bars(f"{path.name} sent", "stored", "in the ratings", total=size) as (sent, stored, rated):

        def tell(_: int, share: float, in_ratings: int, of: int) -> None:
            stored(int(share * size))
            rated(size * in_ratings // of if of else 0)

        report = client.import_file(slug, file, size, sent, tell, format=format_, filename=path.name)
    show_report(path.name, report)


def show_report(name: str, report: Json) -> None:
    """What became of a file."""
    created = ", ".join(f"{number} {what}" for what, number in report["created"].items() if number) or "nothing new"
    click.echo(
        f"{name}, {report['format']}: {report['read']} read, {created}; {report['repeated']} were there already."
    )
    for rejected in report["rejected"][:SHOWN_REJECTED]:
        click.echo(f"  line {rejected['line']}: {rejected['reason']}", err=True)
    more = report["rejected_total"] - min(len(report["rejected"]), SHOWN_REJECTED)
    if report["rejected_total"]:
        click.echo(f"  {report['rejected_total']} rejected{f', {more} more than shown' if more else ''}.", err=True)


@click.command()
@PROJECT
@click.option("--what", type=click.Choice(["judgments", "preferences", "rewards", "completions"]), required=True)
@click.option(
    "--format", "format_", type=click.Choice(["jsonl", "csv", "parquet"]), help="jsonl, or what -o ends with."
)
@click.option(
    "--layout",
    type=click.Choice(["podium", "trl", "hh-rlhf", "arena"]),
    help="Of preferences, or (arena) of judgments.",
)
@click.option("--reward-set", metavar="ID", help="Of which rewards; the newest otherwise.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="A file; standard output otherwise."
)
def export_command(
    project: str, what: str, format_: str | None, layout: str | None, reward_set: str | None, output: Path | None
) -> None:
    """Write judgments, preferences, rewards or completions to a file."""
    if format_ is None and output is not None and output.suffix in (".csv", ".parquet"):
        format_ = output.suffix[1:]
    query = {"what": what, "format": format_, "layout": layout, "reward_set": reward_set}
    with Client(Settings()) as client:
        pieces = client.read_file(f"projects/{known_project(client, project)}/export", **query)
        if output is None:
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return
        # Whole or not at all: a stopped export must not look like a small project.
        part = output.with_name(output.name + ".part")
        with open(part, "wb") as file:
            for piece in pieces:
                file.write(piece)
        part.replace(output)
    click.echo(f"{output}: {output.stat().st_size} bytes", err=True)


@click.command()
@click.argument("kind", type=click.Choice(tuple(CONFIGS)))
@PROJECT
@click.option("--name", help="What the run is called.")
@click.option("--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="JSON or TOML file.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="One field of the config; a.b=1 reaches into a."
)
@click.option("--follow", "wait", is_flag=True, help="Watch it to its end; exit with 1 unless it succeeded.")
def run_command(
    kind: str, project: str, name: str | None, config: Path | None, settings: tuple[str, ...], wait: bool
) -> int:
    """Start a run and print its id. `GET /api/v1/run-kinds` describes the fields of each config."""
    with Client(Settings()) as client:
        body = {"project": known_project(client, project), "kind": kind, "config": fields(config, settings)}
        run = client.post("runs", body | ({"name": name} if name else {}))["id"]
        click.echo(run)
        if not wait:
            return 0
        try:
            ended = follow(client, run, Watch().show)
        except KeyboardInterrupt:
            click.echo(
                f"The run goes on; stop it with POST {client.url}/api/v1/runs/{run}/cancel or on its page.", err=True
            )
            raise
    if ended["message"]:
        click.echo(ended["message"], err=True)
    if ended["result"]:
        click.echo(json.dumps(ended["result"], indent=2))
    return 0 if ended["state"] == "succeeded" else 1


class Watch:
    """Prints how a run goes, a line whenever something has changed."""

    def __init__(self) -> None:
        self._last = ""
        self._warned = 0

    def show(self, run: Json, metrics: Json | None) -> None:
        """A line of state, phase, steps, time left and some numbers; and each warning once."""
        for warning in run["warnings"][self._warned :]:
            click.echo(f"warning at step {warning['step']}: {warning['message']}", err=True)
        self._warned = len(run["warnings"])
        progress = run["progress"] or {}
        total = progress.get("total")
        steps = f"{progress['step']}{f' of {total}' if total else ''}" if progress else ""
        left = f"about {run['eta_s']:.0f} s left" if run["eta_s"] is not None else ""
        values = list((metrics or {}).get("values", {}).items())[:4]
        numbers = "  ".join(f"{name} {value:.4g}" for name, value in values if value is not None)
        line = "  ".join(filter(None, [run["state"], progress.get("phase"), steps, left, numbers]))
        if line != self._last:
            click.echo(line, err=True)
            self._last = line


@click.command()
@click.argument("checkpoint", metavar="NAMESPACE/NAME[@REVISION]")
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
def pull_command(checkpoint: str, folder: Path | None) -> None:
    """Fetch a checkpoint into a folder (its name below this one otherwise). Stopped, it goes on where it was."""
    name, _, revision = checkpoint.partition("@")
    folder = folder or Path(name.rpartition("/")[2])
    with Client(Settings()) as client:
        found = client.get(f"checkpoints/by-name/{name}", revision=revision or None)
        with bar(name, found["size"]) as advance:
            pull(client, name, found["revision"], folder, advance)
    click.echo(f"{name}@{found['revision']} is in {folder}", err=True)


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option("-o", "--output", "folder", default="tensorboard", type=click.Path(file_okay=False, path_type=Path))
def tensorboard_command(runs: tuple[str, ...], folder: Path) -> None:
    """Save the curves of runs (ids) for TensorBoard, each in a folder of its name.

    `tensorboard --logdir tensorboard` then shows them.
    """
    with Client(Settings()) as client:
        for run in runs:
            click.echo(save_curves(client, run, folder))


def fields(config: Path | None, settings: tuple[str, ...]) -> dict[str, Any]:
    """The fields of a config: those of a file, then each KEY=VALUE. A value is JSON where it can be read as such."""
    found: dict[str, Any] = {}
    if config is not None:
        text = config.read_text(encoding="utf-8")
        try:
            found = tomllib.loads(text) if config.suffix == ".toml" else json.loads(text)
        except ValueError as error:
            raise Invalid(f"{config} cannot be read: {error}.") from None
        if not isinstance(found, dict):
            raise Invalid(f"{config} must hold an object with the fields of the config.")
    for setting in settings:
        key, separator, value = setting.partition("=")
        if not separator or not key:
            raise Invalid(f"--set takes KEY=VALUE, and this is {setting}.")
        place = found
        *outer, last = key.split(".")
        for part in outer:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise Invalid(f"--set {setting}: {part} is not an object.")
        try:
            place[last] = json.loads(value)
        except ValueError:
            place[last] = value
    return found
