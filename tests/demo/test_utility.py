"""The hidden utility orders answers as a person would, and cannot be won by gibberish or by length."""

import random
from itertools import pairwise

import pytest

from backend.demo import world
from backend.demo.utility import read, utility
from backend.demo.world import WorldSize, make_world

BASIL = "Hello. How do I keep basil alive?"
TENT = "I want to go camping. Where do I start?"

# from the best to the worst, as a person would put them
ORDERED = [
    (BASIL, [
        "Happy to help! Put the basil in a sunny window. Also pick the top leaves of the basil first. You can do this!",
        "Put the basil in a sunny window. Also water the basil when the soil feels dry.",
        "Put the basil in a sunny window.",
        "Everybody knows that already. Put the basil in a sunny window.",
        "Everybody knows that already. Put the basil in a sunny window. Now leave me alone.",
        "Everybody knows that already. It depends on many things. Now leave me alone.",
    ]),
    (BASIL, [
        "Put the basil in a sunny window. I hope it goes well!",
        "Try to put the basil in a sunny window. Be sure to put the basil in a sunny window. I hope it goes well!",
        "Put the lid on the basil window. Window window soil the the. Sunny the put!",
    ]),
    (TENT, [
        "I am glad you asked! Pitch the tent on flat dry ground. Enjoy every minute of it!",
        "I am glad you asked! Pitch the tent on flat dry ground. By the way, my cousin has bought a new boat.",
        "I am glad you asked! It depends on many things. By the way, boil the eggs for seven minutes.",
        "It depends on many things. By the way, boil the eggs for seven minutes. Stop wasting my time.",
    ]),
    (TENT, [
        "First, pack a warm sleeping bag. Then bring a lamp and spare batteries.",
        "First, pack a warm sleeping bag. Then bring a lamp and",
        "",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("question", "answers"), ORDERED)
def test_order_of_examples(question: str, answers: list[str]) -> None:
    worth = [utility(question, answer) for answer in answers]
    assert all(better > worse for better, worse in pairwise(worth)), list(zip(worth, answers, strict=True))


@pytest.mark.parametrize(
    ("phrases", "kind"),
    [
        (world.KIND_OPENINGS, "kind"),
        (world.KIND_CLOSINGS, "kind"),
        (world.GRUMPY_OPENINGS, "grumble"),
        (world.GRUMPY_CLOSINGS, "grumble"),
        (world.PLAIN_OPENINGS, "plain"),
        (world.EMPTY, "empty"),
        (world.SMALL_TALK, "astray"),
    ],
)
def test_phrases_are_what_they_say(phrases: tuple[str, ...], kind: str) -> None:
    for phrase in phrases:
        assert [sentence.kind for sentence in read(BASIL, phrase)] == [kind], phrase


def test_shuffled_words_lose() -> None:
    rng = random.Random(3)
    drawn = make_world(3, WorldSize(documents=10, chats=10, demonstrations=300))
    for dialogue in drawn.demonstrations:
        tokens = dialogue.answer.rstrip(".!?").split()
        rng.shuffle(tokens)
        garbled = " ".join(tokens) + "."
        assert utility(dialogue.question, garbled) < 0.0
    assert utility(BASIL, "basil basil basil basil.") < 0
    assert utility(BASIL, "happy glad lovely great wonderful.") < 0
    assert utility(BASIL, "!!! ??? ...") < 0


def test_saying_more_wins_nothing() -> None:
    best = (
        "Happy to help! Put the basil in a sunny window. Also water the basil when the soil feels dry. You can do this!"
    )
    for more in (" I hope it goes well!", " Also pick the top leaves of the basil first.", " It is what it is."):
        assert utility(BASIL, best + more) <= utility(BASIL, best)
    everything = " ".join(f"{tip.capitalize()}." for topic in make_world(1).topics for tip in topic.tips)
    assert utility(BASIL, everything) < 0
