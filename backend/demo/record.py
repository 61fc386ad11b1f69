"""What the demo remembers in the data folder between starts: passwords, the seconds of each stage, its final report.

A private file a seed. Everything else is read from Podium itself.
"""

import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Record:
    """The record of one seed; `save` after each change."""

    path: Path
    passwords: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    report: dict[str, Any] | None = None

    @classmethod
    def load(cls, data_dir: Path, namespace: str) -> "Record":
        """What an earlier start left, or an empty one."""
        path = data_dir / "demo" / f"{namespace}.json"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            return cls(path, values["passwords"], values["seconds"], values["done"], values["report"])
        except (FileNotFoundError, ValueError, KeyError):
            return cls(path)

    def save(self) -> None:
        """Whole or not at all, for its owner's eyes only."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        values = {"passwords": self.passwords, "seconds": self.seconds, "done": self.done, "report": self.report}
        part = self.path.with_suffix(".part")
        with open(part, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            json.dump(values, file, ensure_ascii=False, indent=1)
        os.replace(part, self.path)

    def keep_password(self, email: str, password: str | None = None) -> str:
        """Remember how to sign in as somebody; a new password where none is given."""
        self.passwords[email] = password or "-".join(secrets.token_hex(2) for _ in range(4))
        self.save()
        return self.passwords[email]

    def finish(self, stage: str, seconds: float) -> None:
        """A stage is over; an interrupted one adds up."""
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + seconds, 1)
        if stage not in self.done:
            self.done.append(stage)
        self.save()

    def interrupted(self, stage: str, seconds: float) -> None:
        """A stage was left in the middle."""
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + seconds, 1)
        self.save()

    def forget(self) -> None:
        """Start over: what it tells of is no longer there."""
        self.seconds, self.done, self.report = {}, [], None
