"""Commands that look at Podium itself: settings, test."""

import click

from backend.settings import Settings, describe


@click.command()
@click.option("--values", is_flag=True, help="Only NAME=value lines.")
def settings_command(values: bool) -> None:
    """Every PODIUM_* variable with its value (secrets masked) and what it is for."""
    for name, value, description in describe(Settings()):
        click.echo(f"{name}={value}")
        if not values:
            click.echo(click.wrap_text(description, 100, "    ", "    "))
