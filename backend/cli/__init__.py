"""The `podium` command. Each command's module is imported when it is called: `podium --help` and the commands that
speak REST need neither SQLAlchemy nor FastAPI, which take longer to import than such a command takes to run.
"""

import sys
from importlib import import_module
from typing import Any, NoReturn

import click
from pydantic import ValidationError

from backend import __version__
from backend.errors import PodiumError
from backend.settings import variable

# command: (module below this package, what `podium --help` says of it)
COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("processes", "Start Podium on this machine, with its own database and broker."),
    "demo": ("demo", "The whole loop with small models and simulated people, on a laptop."),
    "test": ("checks", "Every check: style, types, imports, pages, tests."),
    "api": ("processes", "The REST API, the Hub protocol and the pages (uvicorn)."),
    "dispatcher": ("processes", "Rings for queued runs, folds judgments into ratings, ends leases."),
    "worker": ("processes", "Works on runs (Celery)."),
    "migrate": ("processes", "Bring the database to the schema of this version."),
    "settings": ("checks", "Every PODIUM_* variable with its value."),
    "user": ("people", "Add, list and disable people; reset a password."),
    "token": ("people", "Make an API token."),
    "project": ("programs", "Make and list projects."),
    "import": ("programs", "Read prompts, completions, pairs or judgments into a project."),
    "export": ("programs", "Write judgments, preferences, rewards or completions to a file."),
    "run": ("programs", "Start a run: pretrain, sft, sample, reward_model, ppo, evaluate."),
    "tensorboard": ("programs", "Save the curves of runs as event files for TensorBoard."),
    "pull": ("programs", "Fetch a checkpoint into a folder."),
}


class Commands(click.Group):
    """Knows the names of all commands, and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"backend.cli.{COMMANDS[cmd_name][0]}")
        command = getattr(module, f"{cmd_name}_command")
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="podium")
def podium() -> None:
    """Rank, reward, reinforce: human preferences into better language models."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command; what goes wrong on purpose is one plain sentence."""
    try:
        result: Any = podium.main(arguments, prog_name="podium", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except ValidationError as error:
        if error.title != "Settings":
            raise
        for fault in error.errors():
            name = variable(str(fault["loc"][0])) if fault["loc"] else "The settings"
            click.echo(f"podium: {name}: {fault['msg']}.", err=True)
        sys.exit(2)
    except PodiumError as error:
        click.echo(f"podium: {error.message}", err=True)
        sys.exit(1)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    sys.exit(result if isinstance(result, int) else 0)
