"""The simulated people who judge in the demo: noisy, each in a way of their own, and working through the REST API.

They see the texts alone, as people do. How well they tell a better answer from a worse one is their skill; one of them
leans to what is shown first, one hardly looks. No training code knows of them: a judgment is all that leaves here.
"""

import math
import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import httpx2

from backend.demo.utility import utility

NAMES = (
    "Amara", "Bjorn", "Carla", "Dmitri", "Elena", "Farid", "Greta", "Hiro", "Ines", "Jonas", "Kavya", "Liam",
    "Mila", "Nuri", "Olga", "Pavel", "Rosa", "Selim", "Tova", "Yara",
)  # fmt: skip
EMAIL_DOMAIN = "people.example"
SKIP_SHARE = 0.01
BATCH = 10


@dataclass(frozen=True)
class Verdict:
    """What one person says of one comparison: ranks in the shown order, or None when no answer is any use."""

    ranks: list[int] | None
    active_ms: int


@dataclass(frozen=True)
class Person:
    """One annotator. `skill`: log-odds that a point of utility is worth to them; `lean`: what the first place is."""

    name: str
    skill: float
    lean: float = 0.0
    tie_width: float = 0.35
    none_below: float = -1.75
    careless: float = 0.0

    @property
    def email(self) -> str:
        """What they sign in with."""
        return f"{self.name.lower()}@{EMAIL_DOMAIN}"

    def judge(self, question: str, answers: Sequence[str], rng: random.Random) -> Verdict:
        """Rank the answers as this person would: Gumbel noise on their worth makes each pair a logistic choice."""
        words = sum(len(answer.split()) for answer in answers)
        if rng.random() < self.careless:
            order = list(range(1, len(answers) + 1))
            rng.shuffle(order)
            return Verdict(order, rng.randint(700, 1500))
        active_ms = 1500 + int(words * rng.uniform(120, 260))
        worth = [utility(question, answer) for answer in answers]
        if max(worth) + self._noise(rng) / (2 * self.skill) < self.none_below:
            return Verdict(None, active_ms)
        seen = [
            self.skill * value + self._noise(rng) + (self.lean if place == 0 else 0.0)
            for place, value in enumerate(worth)
        ]
        return Verdict(self._ranks(seen), active_ms)

    @staticmethod
    def _noise(rng: random.Random) -> float:
        return -math.log(-math.log(rng.uniform(1e-12, 1.0 - 1e-12)))

    def _ranks(self, seen: Sequence[float]) -> list[int]:
        """Places from impressions; one that is hardly worse than the answer above it shares its place."""
        order = sorted(range(len(seen)), key=lambda index: -seen[index])
        ranks = [1] * len(seen)
        for above, below in pairwise(order):
            ranks[below] = ranks[above] + (seen[above] - seen[below] >= self.tie_width)
        return ranks


def draw_people(seed: int) -> list[Person]:
    """Six people of a seed: four of good skill, one of these who favours the first place; one weak; one careless."""
    rng = random.Random(f"podium demo people {seed}")
    names = rng.sample(NAMES, 6)
    return [
        Person(names[0], skill=rng.uniform(1.8, 2.2)),
        Person(names[1], skill=rng.uniform(1.4, 1.8)),
        Person(names[2], skill=rng.uniform(1.0, 1.5)),
        Person(names[3], skill=rng.uniform(1.0, 1.5), lean=rng.uniform(0.6, 1.0)),
        Person(names[4], skill=rng.uniform(0.5, 0.8), tie_width=0.6),
        Person(names[5], skill=rng.uniform(0.7, 1.0), careless=0.6),
    ]


class Desk:
    """One signed-in person working through a project's queue, a handful of comparisons at a time."""

    def __init__(self, person: Person, client: httpx2.Client, project: str, seed: str) -> None:
        """`client` carries this person's session or token; another `seed` is another day's noise."""
        self.person = person
        self.judged = 0
        self._client = client
        self._project = project
        self._rng = random.Random(f"podium demo desk {seed} {project} {person.name}")

    def work(self, count: int = BATCH) -> int:
        """Judge up to `count` comparisons; how many judgments came of it (0: there is nothing left for this person)."""
        answer = self._client.post(f"projects/{self._project}/comparisons/next", params={"count": count})
        items = answer.raise_for_status().json()["items"]
        return sum(self._one(item) for item in items)

    def _one(self, comparison: dict[str, Any]) -> int:
        if self._rng.random() < SKIP_SHARE:
            self._client.post(f"comparisons/{comparison['id']}/skip", json={"reason": "not sure"}).raise_for_status()
            return 0
        question = comparison["prompt"]["messages"][-1]["content"]
        verdict = self.person.judge(
            question, [completion["text"] for completion in comparison["completions"]], self._rng
        )
        body = {
            "comparison": comparison["id"],
            "lease": comparison["lease"]["id"],
            "ranks": verdict.ranks,
            "none_acceptable": verdict.ranks is None,
            "active_ms": verdict.active_ms,
        }
        self._client.put(f"judgments/{uuid.uuid4()}", json=body).raise_for_status()
        self.judged += 1
        return 1


def sign_in(base_url: str, email: str, password: str) -> httpx2.Client:
    """A client with the session of a person, as the browser would have it."""
    client = httpx2.Client(base_url=base_url, timeout=30.0)
    me = client.post("session", json={"email": email, "password": password}).raise_for_status().json()
    client.headers["X-CSRF-Token"] = me["csrf_token"]
    return client


def judge_until(desks: Sequence[Desk], wanted: int, have: int, progress: Callable[[int], None]) -> int:
    """Let the people work in turn until `wanted` judgments are there (`have` already are) or none is left to give."""
    idle = 0
    while have < wanted and idle < len(desks):
        for desk in desks:
            made = desk.work(min(BATCH, wanted - have))
            idle = 0 if made else idle + 1
            have += made
            progress(have)
            if have >= wanted:
                break
    return have
