"""Commands that look at Podium itself: settings, test."""

import click

from backend import checks
from backend.settings import Settings, describe


@click.command()
@click.option("--values", is_flag=True, help="Only NAME=value lines.")
def settings_command(values: bool) -> None:
    """Every PODIUM_* variable with its value (secrets masked) and what it is for."""
    for name, value, description in describe(Settings()):
        click.echo(f"{name}={value}")
        if not values:
            click.echo(click.wrap_text(description, 100, "    ", "    "))


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
def test_command(pytest_arguments: tuple[str, ...]) -> int:
    """Every check: style, types, import contracts, the pages, and all tests.

    With arguments, only pytest with these: `podium test tests/domain -k elo`.
    """
    if pytest_arguments:
        return checks.run_pytest(pytest_arguments)
    return checks.run_all(checks.clock())
