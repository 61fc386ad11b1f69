"""What the demo shows while it works: stages with their progress, and an honest time left. Knows no stage by name.

The time left is what the remaining stages took where the demo was measured, times how much faster or slower this
machine has been so far. On a terminal it is a live bar; elsewhere, plain lines now and then.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

LINE_EVERY_S = 10.0


class Pace:
    """How long the rest takes, judged by what is done. `expected` has the seconds of each stage, in order."""

    def __init__(self, expected: Mapping[str, float]) -> None:
        self._expected = dict(expected)
        self._took: dict[str, float] = {}

    def finished(self, stage: str, seconds: float | None) -> None:
        """A stage is over; None when it was over before, and how long it took says nothing of today."""
        self._took[stage] = self._expected.get(stage, 0.0) if seconds is None else seconds

    def left(self, stage: str, share: float, seconds: float) -> float:
        """Seconds to the end, `share` of the way through a stage that began `seconds` ago."""
        done = sum(self._expected[name] for name in self._took if name in self._expected)
        took = sum(self._took.values())
        now = self._expected.get(stage, 0.0)
        rest = sum(value for name, value in self._expected.items() if name not in self._took and name != stage)
        # The prior of one minute at the usual pace keeps the first seconds from deciding anything.
        pace = (took + seconds + 60.0) / (done + share * now + 60.0) if share > 0 else (took + 60.0) / (done + 60.0)
        return max(0.0, (rest + (1.0 - share) * now) * pace)

    def share(self, stage: str, share: float) -> float:
        """How far the whole is, by expected seconds."""
        total = sum(self._expected.values())
        done = sum(self._expected[name] for name in self._took if name in self._expected)
        return min(1.0, (done + share * self._expected.get(stage, 0.0)) / total) if total else 1.0


class Stage:
    """One stage under way."""

    def __init__(self, display: "Display", name: str) -> None:
        self.began = time.monotonic()
        self._display = display
        self._name = name

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def at(self, share: float, note: str = "") -> None:
        """It is so far (0 to 1); `note` says what of it."""
        self._display.show(self._name, min(1.0, max(0.0, share)), self.seconds, note)


class Display:
    """Use as a context manager around all stages."""

    def __init__(self, console: Console, titles: Mapping[str, str], expected: Mapping[str, float]) -> None:
        self._console = console
        self._titles = titles
        self._pace = Pace(expected)
        self._live = console.is_terminal
        self._last_line = 0.0
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> "Display":
        if self._live:
            self._progress.start()
            self._task = self._progress.add_task("demo", total=1.0, note="")
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._progress.stop()

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def skipped(self, name: str) -> None:
        """A stage that an earlier start of the demo has finished."""
        self._pace.finished(name, None)

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """A stage; its title stays on the screen with how long it took."""
        stage = Stage(self, name)
        self._last_line = time.monotonic()
        stage.at(0.0)
        yield stage
        self._pace.finished(name, stage.seconds)
        self.say(f"  {self._titles[name]:<58}{stage.seconds:6.1f} s")

    def show(self, name: str, share: float, seconds: float, note: str) -> None:
        """Draw where it stands."""
        left = self._pace.left(name, share, seconds)
        whole = self._pace.share(name, share)
        words = f"about {_duration(left)} left" + (f" · {note}" if note else "")
        if self._live and self._task is not None:
            self._progress.update(self._task, completed=whole, description=self._titles[name], note=words)
        elif time.monotonic() - self._last_line > LINE_EVERY_S:
            self._last_line = time.monotonic()
            self.say(f"  … {self._titles[name]}: {share:.0%}, {words}")


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.1f} min"
