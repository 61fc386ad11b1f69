"""Speed and memory of full rating fits, beside evalica and arena-rank on the same data.

    python -m benchmarks.ratings [--runs 3] [--share 1.0] [--peers PYTHON]

`bare`: 1,000,000 comparisons over 200 models, Bradley-Terry without errors, which is what evalica gives.
`models`: the same comparisons with errors clustered by prompt and annotator at once.
`prompts`: 1,200,000 comparisons over 200,000 prompts of 4 completions, Bradley-Terry per prompt with errors. Data are
drawn from a seed; `--share` makes them smaller. `--peers` names a Python that has evalica, arena-rank and pandas
installed: their own fits of the same data run there. They know no groups, so for `prompts` each is called per prompt,
on a hundredth of the prompts, and its time is multiplied (marked `extrapolated`).

Ours run with as few threads as in the process aside of the API. One JSON line for each: seconds are the median of the
runs after a first one, memory the peak of the process above what it held before the fit.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from backend.aside import environment
from backend.domain.annotators import fit_annotators
from backend.domain.bradley_terry import fit_groups
from backend.domain.model_fit import fit_columns, fit_utilities

Columns = dict[str, Any]
NAMES = ("bare", "models", "prompts", "annotators")


def outcomes(rng: np.random.Generator, gap: Any) -> Any:
    """Wins, ties (some 20 % between equals) and losses for these gaps in log-odds."""
    p = 1.0 / (1.0 + np.exp(-gap))
    tie = rng.random(len(gap)) < 0.8 * p * (1.0 - p)
    return np.where(tie, 0.5, (rng.random(len(gap)) < p).astype(float))


def models(share: float) -> Columns:
    """Comparisons of a leaderboard, some models far more popular than others."""
    rng = np.random.default_rng(0)
    votes, count = int(1_000_000 * share), 200
    utility, popularity = rng.normal(0, 0.6, count), rng.gamma(2.0, size=count)
    left = rng.choice(count, votes, p=popularity / popularity.sum())
    right = (left + 1 + rng.choice(count - 1, votes)) % count
    score = outcomes(rng, utility[left] - utility[right])
    prompt, annotator = rng.integers(0, 50_000, votes), rng.integers(0, 2_000, votes)
    return {"left": left, "right": right, "score": score, "prompt": prompt, "annotator": annotator}


def prompts(share: float) -> Columns:
    """All six pairs of four completions of many prompts, in random order."""
    rng = np.random.default_rng(0)
    count = int(200_000 * share)
    a, b = np.triu_indices(4, 1)
    left = (np.arange(count)[:, None] * 4 + a).ravel()
    right = (np.arange(count)[:, None] * 4 + b).ravel()
    order = rng.permutation(len(left))
    turned = rng.random(len(left)) < 0.5
    left, right = np.where(turned, right, left)[order], np.where(turned, left, right)[order]
    utility = rng.normal(0, 1, count * 4)
    score = outcomes(rng, utility[left] - utility[right])
    annotator = rng.integers(0, 500, len(left))
    return {"left": left, "right": right, "score": score, "annotator": annotator, "group_of": np.arange(count * 4) // 4}


PEER = """
import json, resource, statistics, sys, time, warnings
warnings.filterwarnings("ignore")
import numpy as np, pandas as pd
name, path, runs = sys.argv[1], sys.argv[2], int(sys.argv[3])
d = np.load(path)
left, right, score = d["left"], d["right"], d["score"]
if name.startswith("evalica"):
    import evalica
    winner = np.where(score == 1, 1, np.where(score == 0, 2, 0)).astype(np.uint8)
    def fit(rows=slice(None)):
        evalica.bradley_terry(left[rows].tolist(), right[rows].tolist(), winner[rows].tolist())
else:
    from arena_rank.models.bradley_terry import BradleyTerry
    from arena_rank.utils.data_utils import PairDataset
    word = np.array(["model_b", "tie", "model_a"], dtype=object)[(2 * score).astype(int)]
    frame = pd.DataFrame({"model_a": left, "model_b": right, "winner": word})
    def fit(rows=slice(None)):
        data = PairDataset.from_pandas(frame.iloc[rows])
        BradleyTerry(n_competitors=len(data.competitors)).compute_ratings_and_cis(data, ci_method="sandwich")
factor, parts = 1, [slice(None)]
if "group_of" in d:
    group = d["group_of"][left]
    some = 2000 if name.startswith("evalica") else 20
    factor = (group.max() + 1) / min(some, group.max() + 1)
    order = np.argsort(group, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(group[order])) + 1)[:some]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
times = []
for _ in range(runs + 1):
    began = time.perf_counter()
    for part in parts:
        fit(part)
    times.append(time.perf_counter() - began)
    if factor > 1:
        break
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
seconds = statistics.median(times[1:] or times) * factor
above = round((peak - before) / 1024)
print(json.dumps({"seconds": round(seconds, 3), "peak_mb": round(peak / 1024), "above_mb": above,
                  "extrapolated": bool(factor > 1)}))
"""


def measured(fit: Callable[[], object], runs: int) -> dict[str, float]:
    """Median seconds, and the peak memory of this process in all and above what it was."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        fit()
        times.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = round(statistics.median(times[1:]), 3)
    return {"seconds": seconds, "peak_mb": round(peak / 1024), "above_mb": round((peak - before) / 1024)}


def ours(name: str, runs: int, share: float) -> dict[str, float]:
    """One of our fits, in this process alone so that its memory is its own."""
    d = models(share) if name in ("bare", "models") else prompts(share)
    left, right, score = d["left"], d["right"], d["score"]
    if name == "bare":
        return measured(lambda: fit_utilities(left, right, score, models=200), runs)
    if name == "models":
        clusters = [d["prompt"], d["annotator"]]
        return measured(lambda: fit_columns(left, right, score, models=200, clusters=clusters), runs)
    if name == "prompts":
        return measured(lambda: fit_groups(d["group_of"], left, right, score), runs)
    return measured(lambda: fit_annotators(d["group_of"], left, right, score, d["annotator"]), runs)


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--one", choices=NAMES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(ours(options.one, options.runs, options.share)))
        return
    for name in NAMES:
        command = [sys.executable, "-m", "benchmarks.ratings", "--one", name, "--runs", str(options.runs)]
        command += ["--share", str(options.share)]
        env = os.environ | environment()
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
        print(json.dumps({"fit": name, "by": "podium", **json.loads(done.stdout)}), flush=True)
    if not options.peers:
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, columns in (("models", models(options.share)), ("prompts", prompts(options.share))):
            path = Path(folder, f"{name}.npz")
            np.savez(path, **columns)
            for peer in ("evalica", "arena-rank"):
                command = [str(options.peers), "-c", PEER, peer, str(path), str(options.runs)]
                done = subprocess.run(command, check=False, capture_output=True, text=True)
                found = json.loads(done.stdout) if done.returncode == 0 else {"failed": done.stderr.strip()[-300:]}
                print(json.dumps({"fit": name, "by": peer, **found}), flush=True)


if __name__ == "__main__":
    main()
