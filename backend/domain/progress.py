"""Where a run stands and how long it will still take, said honestly. Times are seconds of one clock of the caller.

A run's progress is a small record that each report of its trainer moves on:
`step` of `total` (null when unknown), the `phase`, when that was (`at`), from where the pace is measured
(`from_step`, `from_at`) and from where it will be next (`next_step`, `next_at`), and the furthest step whose state was
`saved`.
"""

from collections.abc import Mapping
from typing import Any

FEWEST_STEPS, PARTS = 5, 10
"""The pace is that of at least so many steps, and of the last tenth or two of all: steps may grow longer or shorter."""


def advance(
    before: Mapping[str, Any] | None, step: int, total: int | None, phase: str | None, at: float
) -> dict[str, Any]:
    """The record after one more report. A step that falls or another total starts a new measurement of the pace."""
    now = dict(before or {})
    if "next_at" not in now or step < now.get("step", 0) or total != now.get("total"):
        now |= {"from_step": step, "from_at": at, "next_step": step, "next_at": at}
    elif step - now["next_step"] >= max(FEWEST_STEPS, (total or 0) // PARTS):
        now |= {"from_step": now["next_step"], "from_at": now["next_at"], "next_step": step, "next_at": at}
    now.update(step=step, total=total, phase=phase, at=at)
    return now


def restarted(before: Mapping[str, Any] | None, *, fresh: bool) -> dict[str, Any] | None:
    """The record when another attempt begins: it measures its own pace; a fresh one also starts at nothing.

    How far a saved state ever was stays known, so that starting over for ever does not pass for progress.
    """
    if before is None:
        return None
    if fresh:
        return {"saved": before["saved"]} if "saved" in before else None
    return {key: value for key, value in before.items() if not key.startswith(("from_", "next_"))}


def saved(before: Mapping[str, Any] | None, step: int) -> tuple[dict[str, Any], bool]:
    """The record after a state was saved, and whether that was further than ever before."""
    now = dict(before or {})
    further = step > now.get("saved", -1)
    if further:
        now["saved"] = step
    return now, further


def shown(record: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What people see of it; null before the first report."""
    if record is None or "step" not in record:
        return None
    return {key: record.get(key) for key in ("step", "total", "phase")}


def seconds_left(record: Mapping[str, Any] | None, now: float) -> float | None:
    """The steps left at the latest pace of this attempt; null until a pace is known, and behind the last step: what is
    still done there has no steps.

    The time since the last report counts as time in which nothing was done, so a trainer that falls silent makes the
    answer grow instead of standing still.
    """
    if record is None or not record.get("total") or "from_at" not in record:
        return None
    done: int = record["step"] - record["from_step"]
    measured: float = record["at"] - record["from_at"]
    if done <= 0 or measured <= 0:
        return None
    pace = measured / done
    left: int = record["total"] - record["step"]
    silent: float = max(now - record["at"], 0.0)
    if left <= 0:
        return None
    if silent <= pace:
        return left * pace - silent
    # The step under way takes longer than those before: it counts at its length so far, and as much again is left
    # of it as it is overdue.
    return (left - 1) * (measured + silent) / (done + 1) + (silent - pace)
