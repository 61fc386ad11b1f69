"""The command: prepares, runs both sides in turns, each in a fresh process, and prints what they took."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.training import prepare, table
from benchmarks.training.shared import USUAL, WORKLOADS, Measured

HERE = Path(__file__).parent
SIDES = ("trl", "ours")


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.training", description="Our training beside TRL's.")
    parser.add_argument("--trl", metavar="PYTHON", help="a Python with trl 1.12 and peft; without it: ours alone")
    parser.add_argument(
        "--workload", default=",".join(USUAL),
        help="some of these, with commas: %(default)s; or for a GPU {ppo,sft,rm}-{0.5b,1.5b,7b}",
    )  # fmt: skip
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32", help="of weights and products")
    parser.add_argument("--rounds", type=int, default=3, help="figures are medians over so many")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="instead of each workload's own, to try whether everything runs")
    parser.add_argument("--per-step", type=int, help="the same for rows of a step")
    parser.add_argument("--text", type=Path, help='lines of {"chosen", "rejected"} (hh-rlhf), instead of made-up text')
    parser.add_argument(
        "--critic", choices=("lora", "full"), default="lora",
        help="TRL's critic: an adapter as ours, or all of a model as is its custom",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    given = parser.parse_args()
    chosen = given.workload.split(",")
    if unknown := set(chosen) - WORKLOADS.keys():
        parser.error(f"there is no workload {', '.join(sorted(unknown))}; there are {', '.join(WORKLOADS)}")
    models = {WORKLOADS[name].model for name in chosen}
    folder = prepare.folder_of(given.seed, given.text and given.text.resolve(), models, given.device)
    found = []
    for name in chosen:
        runs: dict[str, list[Measured]] = {side: [] for side in SIDES}
        for turn in range(given.rounds):
            for side in SIDES if turn % 2 == 0 else SIDES[::-1]:
                if (side == "ours" or given.trl) and (one := _run(side, name, folder, given)):
                    runs[side].append(one)
        if not runs["ours"]:
            continue
        trl = table.Side(runs["trl"], given.critic == "full") if runs["trl"] else None
        found.append(table.compare(name, table.Side(runs["ours"]), trl))
        print("\n".join(table.lines(found[-1])), flush=True)
        if given.json:
            given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


def _run(side: str, name: str, folder: Path, given: argparse.Namespace) -> Measured | None:
    """One side, once, in a process of its own; None, and what it said last, where it could not."""
    if side == "ours":
        command = [sys.executable, "-m", "benchmarks.training.ours"]
    else:
        command = [given.trl, str(HERE / "trl_side.py")]
    command += [str(folder), name, "--threads", str(given.threads), "--seed", str(given.seed)]
    command += ["--device", given.device, "--dtype", given.dtype]
    command += ["--steps", str(given.steps)] if given.steps else []
    command += ["--per-step", str(given.per_step)] if given.per_step else []
    command += ["--critic", given.critic] if side == "trl" else []
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    if side == "ours":
        environment["PYTHONPATH"] = str(HERE.parents[1])
    environment["OMP_NUM_THREADS"] = str(given.threads)
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    for line in ended.stdout.splitlines():
        if line.startswith("measured "):
            return Measured(**json.loads(line.removeprefix("measured ")))
    print(f"{side} on {name} ended with {ended.returncode} and no figures:\n{ended.stderr[-4000:]}", flush=True)
    return None


if __name__ == "__main__":
    sys.exit(main())
