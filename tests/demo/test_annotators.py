"""The simulated people: better skill agrees more with the utility, and the careless and the leaning show it."""

import random

from backend.demo.annotators import Person, draw_people
from backend.demo.utility import utility
from backend.demo.world import WorldSize, make_world


def _pairs() -> list[tuple[str, list[str]]]:
    drawn = make_world(5, WorldSize(documents=10, chats=10, demonstrations=1200, training_prompts=600))
    answers: dict[str, list[str]] = {}
    for dialogue in drawn.demonstrations:
        answers.setdefault(dialogue.question, []).append(dialogue.answer)
    return [
        (question, two)
        for question, two in answers.items()
        if len(two) == 2 and utility(question, two[0]) != utility(question, two[1])
    ]


def _agreement(person: Person, pairs: list[tuple[str, list[str]]]) -> float:
    """Share of the pairs that the person puts in the order of the utility; a tie is half."""
    rng = random.Random(11)
    total = 0.0
    judged = 0
    for question, answers in pairs:
        verdict = person.judge(question, answers, rng)
        if verdict.ranks is None:
            continue
        judged += 1
        first, second = verdict.ranks
        better = utility(question, answers[0]) > utility(question, answers[1])
        total += 0.5 if first == second else float((first < second) == better)
    return total / judged


def test_agreement_rises_with_skill() -> None:
    pairs = _pairs()
    blind, weak, fair, good = (_agreement(Person("Test", skill), pairs) for skill in (0.001, 0.5, 1.2, 4.0))
    assert abs(blind - 0.5) < 0.08
    assert blind < weak < fair < good
    assert good > 0.95


def test_the_careless_one_agrees_less() -> None:
    pairs = _pairs()
    assert _agreement(Person("Test", 1.0, careless=0.8), pairs) < _agreement(Person("Test", 1.0), pairs) - 0.1


def test_a_lean_favours_the_first_place() -> None:
    rng = random.Random(2)
    answer = "Put the basil in a sunny window."
    leaning = Person("Test", 1.0, lean=1.0, tie_width=0.0)
    verdicts = [leaning.judge("How do I keep basil alive?", [answer, answer], rng) for _ in range(2000)]
    first = sum(verdict.ranks == [1, 2] for verdict in verdicts) / len(verdicts)
    assert abs(first - 0.731) < 0.04  # 1 / (1 + exp(-1))


def test_ranks_have_no_gap_and_useless_answers_are_refused() -> None:
    rng = random.Random(4)
    useless = "This is such a boring question. It depends on many things. Now leave me alone."
    refused = 0
    for person in draw_people(1):
        for _ in range(50):
            verdict = person.judge("How do I keep basil alive?", [useless] * 3, rng)
            if verdict.ranks is None:
                refused += 1
            else:
                assert sorted(set(verdict.ranks)) == list(range(1, max(verdict.ranks) + 1))
    assert refused > 100


def test_people_are_drawn_by_seed() -> None:
    assert draw_people(7) == draw_people(7)
    assert draw_people(7) != draw_people(8)
    assert len({person.email for person in draw_people(7)}) == 6
