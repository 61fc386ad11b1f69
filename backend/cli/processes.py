"""Commands that are processes of Podium: up, demo, api, dispatcher, worker, migrate."""

import os
import sys
import tempfile
import time
from contextlib import ExitStack
from typing import NoReturn

import click
import uvicorn

from backend import embedded, frontend
from backend.errors import Unavailable
from backend.migrate import migrate
from backend.settings import REPOSITORY, Settings, variable
from backend.supervisor import Follower, Say
from backend.up import Podium, Signals, running

GRACEFUL_S = 3  # streams that stay open must not hold up a stop


def clock() -> Say:
    """Prints progress on stderr, each line with the seconds since now."""
    begin = time.monotonic()
    return lambda line: click.echo(f"[{time.monotonic() - begin:6.1f} s] {line}", err=True)


@click.command()
@click.option("--host", help="Address to listen on; 127.0.0.1 is this machine only.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on; 8000.")
@click.option("--verbose", "-v", is_flag=True, help="Print what the processes write to their logs.")
def up_command(host: str | None, port: int | None, verbose: bool) -> None:
    """Start Podium on this machine, with its own database and broker.

    Everything is kept in PODIUM_DATA_DIR. The first start creates an admin and prints, once, how to sign in.
    Ctrl-C stops it all; a second Ctrl-C does not wait for runs to save their state.
    """
    settings = with_options(host=host, port=port)
    say = clock()
    with Signals() as signals, ExitStack() as stack:
        try:
            build_pages(say)
            if verbose:
                names = ("postgres", "valkey", "api", "dispatcher", "worker")
                logs = {name: settings.logs_dir / f"{name}.log" for name in names}
                stack.enter_context(Follower(logs, lambda line: click.echo(line, err=True)))
            podium = stack.enter_context(running(settings, say, signals.hurry))
            announce(podium, say)
            signals.wait()
        except KeyboardInterrupt:
            stack.close()
            say("stopped")


def with_options(**options: object) -> Settings:
    """The settings, with what the command line says in place of the environment."""
    for name, value in options.items():
        if value is not None:
            os.environ[variable(name)] = str(value)
    return Settings()


def build_pages(say: Say) -> None:
    """The pages, where they can be had; without them the API still works."""
    try:
        frontend.build(say)
    except Unavailable as error:
        say(f"{error.message} Podium starts without new pages.")


def announce(podium: Podium, say: Say) -> None:
    """Say that it is ready and where; at the first start also how to sign in."""
    say("ready")
    click.echo(f"\n  Podium    {podium.settings.base_url}")
    if podium.first_admin is not None:
        email, password = podium.first_admin
        click.echo(f"  Sign in   {email}")
        click.echo(f"  Password  {password}    (shown this once; `podium user reset-password` makes another)")
    click.echo("  Stop      Ctrl-C\n")


@click.command()
def api_command() -> None:
    """The REST API, the Hub protocol and the pages (uvicorn)."""
    settings = Settings()
    if settings.api_processes > 1:
        # Where the processes add up their counters for /metrics; each start begins at nothing.
        counters = tempfile.TemporaryDirectory(prefix="podium-metrics-")
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = counters.name
    uvicorn.run(
        "backend.app:from_environment",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.api_processes,
        proxy_headers=True,
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=GRACEFUL_S,
        server_header=False,
        access_log=False,
        log_config=None,  # backend.logs decides
    )


@click.command()
def dispatcher_command() -> None:
    """Rings for queued runs, folds judgments into ratings, ends leases."""
    become("workers.dispatcher")


@click.command()
def worker_command() -> None:
    """Works on runs (Celery)."""
    become("workers.worker")


@click.command()
def migrate_command() -> None:
    """Bring the database to the schema of this version; does nothing when it is there."""
    with embedded.database(Settings(), "podium migrate") as url:
        migrate(url)
    click.echo("The database is up to date.")


def become(module: str, *arguments: str) -> NoReturn:
    """Replace this process: the backend does not import the workers."""
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", module, *arguments], os.environ | {"PYTHONPATH": path})
