"""What the runs of a workload say, as people read it, and whether both sides did the same work."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.training import floors
from benchmarks.training.shared import WORKLOADS, Measured

UNITS = {"sft": "tokens", "rm": "pairs", "ppo": "episodes"}
QUIET = 0.05
"""Others' share of the machine beyond which a run is called disturbed."""
SAME_LOSS = {"float32": 1e-3, "bfloat16": 2e-2}
COMPARED = 10
"""Steps whose losses must be the same: rounding errors grow from step to step."""


@dataclass(frozen=True)
class Side:
    """The rounds of one side of a workload."""

    runs: Sequence[Measured]
    full_critic: bool = False

    def median(self, values: Sequence[float]) -> float:
        return statistics.median(values)

    @property
    def rate(self) -> float:
        """Units a second; where a score was to be reached, reachings a second."""
        targeted = WORKLOADS[self.runs[0].workload].target is not None
        return self.median([(1.0 if targeted else run.units) / run.seconds for run in self.runs])

    def phases(self) -> dict[str, tuple[float, float]]:
        """Seconds of a step and share of the arithmetic floor, by phase."""
        workload = WORKLOADS[self.runs[0].workload]
        least = [floors.seconds(workload, run, full_critic=self.full_critic) for run in self.runs]
        return {
            name: (
                self.median([run.phases[name] / run.steps for run in self.runs]),
                self.median([one[name] / run.phases[name] for one, run in zip(least, self.runs, strict=True)]),
            )
            for name in self.runs[0].phases
        }


def compare(name: str, ours: Side, trl: Side | None) -> dict[str, Any]:
    """All figures of a workload."""
    workload = WORKLOADS[name]
    found: dict[str, Any] = {"workload": name, "unit": UNITS[workload.kind], "target": workload.target}
    for side, of in (("ours", ours), ("trl", trl)):
        if of is None:
            continue
        first = of.runs[0]
        found[side] = {
            "per_second": of.median([run.units / run.seconds for run in of.runs]),
            "seconds": of.median([run.seconds for run in of.runs]),
            "phases": {phase: {"seconds": s, "floor_share": share} for phase, (s, share) in of.phases().items()},
            "peak_mib": of.median([run.peak_mib for run in of.runs]),
            "before_mib": of.median([run.before_mib for run in of.runs]),
            "others_share": max(run.others_share for run in of.runs),
            "gflops": of.median([run.gflops for run in of.runs]),
            "steps": first.steps,
            "losses": first.losses,
            "numbers": first.numbers,
            "versions": first.versions,
        }
    if trl is not None:
        found["ratio"] = ours.rate / trl.rate
        found["cpu_ratio"] = statistics.median(
            theirs.cpu_seconds / mine.cpu_seconds * (1.0 if workload.target else mine.units / theirs.units)
            for mine, theirs in zip(ours.runs, trl.runs, strict=True)
        )
        found["memory_ratio"] = found["ours"]["peak_mib"] / found["trl"]["peak_mib"]
        found["same"] = _same(ours.runs[0], trl.runs[0])
    return found


def _same(ours: Measured, trl: Measured) -> dict[str, Any]:
    """Losses step by step where both sides compute the same; else means, because both sides draw their own answers."""
    if ours.losses:
        gap = max(abs(a - b) for a, b in list(zip(ours.losses, trl.losses, strict=True))[:COMPARED])
        return {"loss_gap": gap, "same": gap <= SAME_LOSS[ours.dtype]}
    if WORKLOADS[ours.workload].target is not None:
        last = {name: [ours.numbers[name][-1], trl.numbers[name][-1]] for name in ("score", "kl")}
        return last | {"episodes": [ours.units, trl.units]}
    return {
        name: [statistics.mean(ours.numbers[name]), statistics.mean(trl.numbers[name])]
        for name in ("score", "kl", "value_loss")
    }


def _rollout_share(of: dict[str, Any]) -> str:
    seconds = {name: one["seconds"] for name, one in of["phases"].items()}
    return f", the rollout {seconds['rollout'] / sum(seconds.values()):.0%} of it" if "rollout" in seconds else ""


def lines(found: dict[str, Any]) -> list[str]:
    """The figures as lines of text."""
    out = [f"{found['workload']}" + (f", until the score is {found['target']}" if found["target"] else "")]
    for side in ("trl", "ours"):
        if side not in found:
            continue
        of = found[side]
        phases = ", ".join(
            f"{name} {one['seconds']:.3g} s ({one['floor_share']:.0%} of floor)" for name, one in of["phases"].items()
        )
        out.append(
            f"  {side:5}{of['per_second']:9.4g} {found['unit']}/s"
            + (f" | {of['seconds']:.4g} s in all" if found["target"] else "")
            + f" | a step: {phases}{_rollout_share(of)} | peak {of['peak_mib']:.0f} MiB"
            + (f" | DISTURBED: others took {of['others_share']:.0%}" if of["others_share"] > QUIET else "")
        )
    if "ratio" in found:
        same = found["same"]
        out.append(
            f"  ratio {found['ratio']:.2f} by the clock, {found['cpu_ratio']:.2f} by CPU seconds; "
            f"memory {found['memory_ratio']:.2f} of TRL's"
        )
        if "loss_gap" in same:
            said = "same work" if same["same"] else "NOT THE SAME WORK"
            out.append(f"  {said}: losses of the first steps differ by at most {same['loss_gap']:.2g}")
        else:
            out.append("  ours / TRL: " + ", ".join(f"{k} {a:.3g} / {b:.3g}" for k, (a, b) in same.items()))
    return out
