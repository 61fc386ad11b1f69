"""Commands about people, straight on the database: for whoever has it, whether or not Podium runs."""

import contextlib
import getpass
import secrets
import sys
from collections.abc import Iterator

import click
from sqlalchemy.orm import Session

from backend import embedded
from backend.database import make_engine, make_session_factory
from backend.errors import NotFound
from backend.migrate import migrate
from backend.services import accounts, sessions
from backend.settings import Settings
from backend.tables import User

PASSWORD = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")


@contextlib.contextmanager
def transaction(purpose: str) -> Iterator[Session]:
    """A session on an up-to-date database; committed at the end of the block."""
    with embedded.database(Settings(), purpose) as url:
        migrate(url)
        engine = make_engine(url, pool_size=1, application="podium-cli")
        try:
            with make_session_factory(engine).begin() as session:
                yield session
        finally:
            engine.dispose()


def person(session: Session, email: str) -> User:
    """Somebody by e-mail."""
    user = accounts.by_email(session, email)
    if user is None:
        raise NotFound(f"Nobody here has the e-mail {email}.")
    return user


def new_password(from_stdin: bool) -> tuple[str, bool]:
    """A password, and whether it was drawn here (and must be shown)."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n"), False
    if sys.stdin.isatty():
        first = getpass.getpass("Password (empty: one is made): ")
        if first:
            if getpass.getpass("Once more: ") != first:
                raise click.ClickException("The two passwords differ.")
            return first, False
    return "-".join(secrets.token_hex(2) for _ in range(4)), True


@click.group()
def user_command() -> None:
    """Add, list and disable people; reset a password."""


@user_command.command("add")
@click.argument("email")
@click.option("--role", type=click.Choice(accounts.ROLES), required=True)
@click.option("--name", help="What others see; the part before the @ otherwise.")
@PASSWORD
def add(email: str, role: str, name: str | None, password_stdin: bool) -> None:
    """Add a person. Without --password-stdin the password is asked for, or made and printed."""
    password, made = new_password(password_stdin)
    with transaction("podium user add") as session:
        accounts.create_user(session, email=email, role=role, name=name, password=password)
    click.echo(f"Added {email} ({role}).")
    if made:
        click.echo(f"Password: {password}    (shown this once)")


@user_command.command("list")
def list_people() -> None:
    """Everybody: e-mail, name, role, when last seen."""
    with transaction("podium user list") as session:
        for user in session.scalars(accounts.list_users().order_by(User.created_at)):
            seen = f"{user.last_seen_at:%Y-%m-%d %H:%M}Z" if user.last_seen_at else "never"
            state = "disabled" if user.disabled_at else user.role
            click.echo(f"{user.email or '(imported)':40} {user.name:30} {state:10} {seen}")


@user_command.command("disable")
@click.argument("email")
def disable(email: str) -> None:
    """End what a person can do, at once; their judgments stay."""
    with transaction("podium user disable") as session:
        accounts.disable(session, person(session, email))
    click.echo(f"{email} is disabled.")


@user_command.command("enable")
@click.argument("email")
def enable(email: str) -> None:
    """Let a disabled person sign in again."""
    with transaction("podium user enable") as session:
        accounts.change_user(session, person(session, email), disabled=False)
    click.echo(f"{email} can sign in again.")


@user_command.command("reset-password")
@click.argument("email")
@PASSWORD
def reset_password(email: str, password_stdin: bool) -> None:
    """Give a person a new password, and sign them out everywhere."""
    password, made = new_password(password_stdin)
    with transaction("podium user reset-password") as session:
        accounts.set_password(session, person(session, email), password)
    click.echo(f"{email} has a new password.")
    if made:
        click.echo(f"Password: {password}    (shown this once)")


@click.group()
def token_command() -> None:
    """Make an API token."""


@token_command.command("create")
@click.option("--user", "email", required=True, metavar="EMAIL", help="Whose token it is.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(sessions.SCOPES),
    multiple=True,
    required=True,
    help="May be given repeatedly.",
)
@click.option("--name", default="command line", show_default=True, help="What it is for.")
def create(email: str, scopes: tuple[str, ...], name: str) -> None:
    """Make an API token and print it, and nothing else, on standard output."""
    with transaction("podium token create") as session:
        secret, _ = sessions.create_token(session, person(session, email), name=name, scopes=scopes)
    click.echo(secret)
