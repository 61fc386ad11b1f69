"""How much truth the same number of judgments gives, by how ratings are made and by how comparisons are chosen.

    python -m benchmarks.asking [--seeds 5] [--prompts 800] [--first-seed 100]

A simulated crowd judges pairs of prompts with four completions of hidden utility, by the product's own choice of pairs
(`domain/pairing.py`), its own posteriors between rounds, and its own ratings at the end. The crowd: 70 % see sharply,
20 % less, 8 % click one side, 2 % judge the other way round, all lean a little to the side shown first; one in seven
close calls is a tie. Prints, over seeds, the rank correlation with the truth and the error of rewards after eight
judgments a prompt; and how many judgments a prompt reach the precision that pairs at random with plain Elo have after
8, 12 and 16. Last: what it takes to bring every prompt below a standard error, and what stopping there does to ranks.
"""

import argparse
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend.domain import elo
from backend.domain.annotators import enough, fit_annotators, told
from backend.domain.bradley_terry import fit_groups
from backend.domain.pairing import Candidate, choose

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]

COMPLETIONS, PEOPLE = 4, 60
ELO, BRADLEY_TERRY, CROWD = "Elo", "Bradley-Terry", "with slope and lean"
# Judgments a prompt: where the comparison starts from, and where ratings are looked at.
BASES, LOOKS = (8, 12, 16), (3, 4, 5, 6, 7, 8, 10, 12, 14, 16)
FARTHER = (*LOOKS, 20, 24)
# A new fit of slopes after so many judgments more, or so large a share more, whichever is later, as in the product.
EVERY, EVERY_SHARE = 1_000, 0.1
# Each way to ask, by its share of random choice and its target error in Elo points.
RANDOM, ACTIVE, STOPPED = (1.0, None), (0.1, None), (0.1, 110.0)


@dataclass(frozen=True)
class World:
    """Utilities (prompts, completions), centred within the prompt; each person's slope and lean; a seed."""

    utility: Floats
    slope: Floats
    lean: Floats
    seed: int

    @classmethod
    def draw(cls, prompts: int, seed: int) -> "World":
        rng = np.random.default_rng(seed)
        utility = rng.normal(0, 1, (prompts, COMPLETIONS))
        kind = rng.choice(4, PEOPLE, p=[0.70, 0.20, 0.08, 0.02])
        sharp, dull = rng.normal(1.7, 0.3, PEOPLE), rng.normal(0.6, 0.2, PEOPLE)
        slope = np.choose(kind, [sharp, dull, np.zeros(PEOPLE), np.full(PEOPLE, -1.0)])
        lean = np.where(kind == 2, rng.normal(1.2, 0.6, PEOPLE), rng.normal(0.3, 0.3, PEOPLE))
        return cls(utility - utility.mean(axis=1, keepdims=True), slope, lean, seed)


class Votes(NamedTuple):
    """Columns by vote as they were cast: items by number (prompt x 4 + place), score of the first, person."""

    first: Ints
    second: Ints
    score: Floats
    person: Ints

    def upto(self, judgments: int) -> "Votes":
        n = judgments
        return Votes(self.first[:n], self.second[:n], self.score[:n], self.person[:n])


def collect(
    world: World, judgments: int, *, random_share: float, target_error: float | None = None, crowd: bool = False
) -> Votes:
    """The first `judgments` votes, as the queue hands them out: a quarter of the prompts at once, those that were told
    least; with a target, only of prompts that are not settled. With `crowd`, a vote tells what the newest fit of slopes
    says, which is made when the product makes one; else all tell the same."""
    rng, chance = np.random.default_rng(world.seed + 1), Random(world.seed)
    prompts = len(world.utility)
    group_of = np.repeat(np.arange(prompts), COMPLETIONS)
    rating, error = np.full(prompts * COMPLETIONS, elo.START), np.full(prompts * COMPLETIONS, np.inf)
    asked = [Counter[frozenset[int]]() for _ in range(prompts)]
    who: list[list[tuple[frozenset[int], int]]] = [[] for _ in range(prompts)]
    judged = np.zeros(prompts * COMPLETIONS, int)
    votes = Votes(np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0), np.zeros(0, np.intp))
    truth = world.utility.ravel()
    worth, fitted_at = np.ones(PEOPLE), 0
    turn: Floats = np.zeros(prompts)
    while len(votes.first) < judgments:
        open_ = np.flatnonzero(error.reshape(prompts, -1).max(axis=1) > (target_error or 0.0))
        if not len(open_):
            break
        chosen = open_[np.argsort(turn[open_], kind="stable")[: -(-prompts // 4)]]
        shown = []
        for prompt in chosen.tolist():
            items = range(prompt * COMPLETIONS, (prompt + 1) * COMPLETIONS)
            candidates = [Candidate(item, float(rating[item]), int(judged[item])) for item in items]
            heard: dict[frozenset[int], float] = {}
            for pair, person in who[prompt]:
                heard[pair] = heard.get(pair, 0.0) + float(worth[person])
            choice = choose(candidates, asked[prompt], set(), 1_000, 2, random_share, chance, told=heard)
            assert choice is not None
            asked[prompt][frozenset(choice.completions)] += 1
            shown.append(choice.completions)
        first, second = np.array(shown, np.intp).T
        np.add.at(judged, np.concatenate([first, second]), 1)
        people = rng.integers(0, PEOPLE, len(first))
        for prompt, pair, person in zip(chosen.tolist(), shown, people.tolist(), strict=True):
            who[prompt].append((frozenset(pair), person))
        edge = world.slope[people] * (truth[first] - truth[second]) + world.lean[people]
        p = 0.5 + 0.5 * np.tanh(0.5 * edge)
        tied = rng.random(len(first)) < 0.15 * 4 * p * (1 - p)
        score = np.where(tied, 0.5, (rng.random(len(first)) < p).astype(float))
        votes = Votes(*(np.concatenate(pair) for pair in zip(votes, (first, second, score, people), strict=True)))
        fit = fit_groups(group_of, votes.first, votes.second, votes.score, prior_deviation=1.0)
        rating = elo.START + elo.POINTS_PER_LOG_ODDS * fit.log_odds
        error = np.where(fit.component == 0, elo.POINTS_PER_LOG_ODDS * fit.standard_deviation, np.inf)
        if crowd and _is_due(group_of, votes, fitted_at):
            known = fit_annotators(group_of, *votes[:3], votes.person, annotators=PEOPLE)
            worth, fitted_at = np.array([told(slope) for slope in known.slope.tolist()]), len(votes.first)
        turn = np.bincount(votes.first // COMPLETIONS, worth[votes.person], prompts).astype(float)
    return votes


def _is_due(group_of: Ints, votes: Votes, fitted_at: int) -> bool:
    """As `services/annotator_fits.py` decides."""
    if fitted_at:
        return len(votes.first) - fitted_at >= max(EVERY, EVERY_SHARE * fitted_at)
    return enough(group_of, votes.first, votes.person)


def rate(world: World, votes: Votes, method: str) -> Floats:
    """The ratings that these votes give, in log-odds (prompts, completions)."""
    group_of = np.repeat(np.arange(len(world.utility)), COMPLETIONS)
    rating: Floats
    if method == ELO:
        live: dict[int, float] = {}
        for first, second, score in zip(*(column.tolist() for column in votes[:3]), strict=True):
            elo.fold_judgment(live, (first, second), {1.0: (1, 2), 0.5: (1, 1), 0.0: (2, 1)}[score], elo.K_COMPLETION)
        rating = np.array([live.get(item, elo.START) for item in range(len(group_of))]) / elo.POINTS_PER_LOG_ODDS
    elif method == BRADLEY_TERRY:
        rating = fit_groups(group_of, votes.first, votes.second, votes.score).log_odds
    else:
        rating = fit_annotators(group_of, *votes[:3], votes.person, annotators=PEOPLE).ratings.log_odds
    return rating.reshape(world.utility.shape)


def spearman(rating: Floats, truth: Floats) -> float:
    """Mean rank correlation within prompts, equal ratings sharing their rank."""
    ranks = [
        ((table[:, :, None] > table[:, None, :]) + 0.5 * (table[:, :, None] == table[:, None, :])).sum(axis=2)
        for table in (np.round(rating, 9), truth)
    ]
    a, b = (table - table.mean(axis=1, keepdims=True) for table in ranks)
    spread = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return float(np.mean(np.divide((a * b).sum(axis=1), spread, out=np.zeros(len(a)), where=spread > 0)))


def reward_error(rating: Floats, truth: Floats) -> float:
    """Root mean squared error of rewards: ratings centred within their prompts, times the one scale that fits best."""
    centred = rating - rating.mean(axis=1, keepdims=True)
    scale = (centred * truth).sum() / max((centred**2).sum(), 1e-12)
    return float(np.sqrt(((scale * centred - truth) ** 2).mean()))


class Precision(NamedTuple):
    """Judgments a prompt, and how near the ratings made from them are to the truth."""

    judgments: float
    spearman: float
    error: float


def follow(world: World, votes: Votes, method: str, looks: tuple[int, ...] = LOOKS) -> list[Precision]:
    """The precision along the way."""
    prompts, found = len(world.utility), []
    for look in looks:
        part = votes.upto(look * prompts)
        rating = rate(world, part, method)
        asked = len(part.first) / prompts
        found.append(Precision(asked, spearman(rating, world.utility), reward_error(rating, world.utility)))
        if asked < look:
            break
    return found


def needed(along: list[Precision], wanted: Precision) -> tuple[float, float]:
    """Judgments a prompt until the rank correlation, and until the error, are as good as wanted: between two looks in
    proportion to the logarithm; infinite where that was never reached."""
    log = np.log([one.judgments for one in along])

    def reach(values: list[float], target: float) -> float:
        best = np.maximum.accumulate(values)
        return float(np.exp(np.interp(target, best, log))) if best[-1] >= target else float("inf")

    return (
        reach([one.spearman for one in along], wanted.spearman),
        reach([-one.error for one in along], -wanted.error),
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--seeds", type=int, default=5)
    arguments.add_argument("--first-seed", type=int, default=100)
    arguments.add_argument("--prompts", type=int, default=800)
    given = arguments.parse_args()
    at_eight: dict[str, list[Precision]] = {}
    ratios: dict[str, list[list[float]]] = {}
    stopped: list[list[float]] = []
    for seed in range(given.first_seed, given.first_seed + given.seeds):
        world = World.draw(given.prompts, seed)
        most = LOOKS[-1] * given.prompts
        random = collect(world, FARTHER[-1] * given.prompts, random_share=RANDOM[0])
        alike = collect(world, most, random_share=ACTIVE[0])
        active = collect(world, most, random_share=ACTIVE[0], crowd=True)
        with_stop = collect(world, 2 * most, random_share=STOPPED[0], target_error=STOPPED[1], crowd=True)
        random_with_stop = collect(world, 2 * most, random_share=RANDOM[0], target_error=STOPPED[1])
        far = follow(world, random, ELO, FARTHER)
        plain = {one.judgments: one for one in far}
        for name, votes in (("random", random), ("active, all alike", alike), ("active", active)):
            for method in (ELO, BRADLEY_TERRY, CROWD):
                along = follow(world, votes, method)
                at_eight.setdefault(f"{name}, {method}", []).append(next(one for one in along if one.judgments == 8))
                if (name, method) != ("random", ELO):
                    reached = [number / base for base in BASES for number in needed(along, plain[base])]
                    ratios.setdefault(f"{name}, {method}", []).append(reached)
        end = follow(world, with_stop, CROWD, (2 * LOOKS[-1],))[-1]
        unstopped = follow(world, active, CROWD, (min(round(end.judgments), LOOKS[-1]),))[-1]
        until = len(random_with_stop.first) / given.prompts
        stopped.append([until, *end, *unstopped[1:], *(end.judgments / one for one in needed(far, end))])
    show(at_eight, ratios, stopped)


def show(
    at_eight: Mapping[str, list[Precision]], ratios: Mapping[str, list[list[float]]], stopped: list[list[float]]
) -> None:
    """Means over seeds, and their spread (standard deviation over seeds)."""

    def cell(values: list[float], digits: int) -> str:
        return f"{np.mean(values):.{digits}f} ±{np.std(values, ddof=1) if len(values) > 1 else 0.0:.{digits}f}"

    print("After 8 judgments a prompt              rank correlation   error of rewards")
    for name, seen in at_eight.items():
        print(f"{name:39} {cell([one.spearman for one in seen], 3):>16} {cell([one.error for one in seen], 3):>18}")
    print("\nJudgments needed, as a share of those of random choice with plain Elo")
    print("for the precision that has after        " + "".join(f"{base:>12} a prompt    " for base in BASES))
    print(" " * 40 + "rank corr.       error  " * len(BASES))
    for name, rows in ratios.items():
        print(f"{name:39} " + "".join(f"{cell(list(column), 2):>12}" for column in zip(*rows, strict=True)))
    columns = [list(column) for column in zip(*stopped, strict=True)]
    names = (
        "judgments a prompt until all are there, by chance",
        "judgments a prompt until all are there, active",
        "rank correlation",
        "error of rewards",
        "rank correlation, as many unstopped",
        "error of rewards, as many unstopped",
        "share of random with plain Elo, for the rank correlation",
        "share of random with plain Elo, for the error",
    )
    print(f"\nActive with slope and lean, stopped at a standard error of {STOPPED[1]:g} Elo points")
    for name, column in zip(names, columns, strict=True):
        print(f"  {name:58} {cell(column, 2 if name.startswith(('judg', 'share')) else 3)}")


if __name__ == "__main__":
    main()
