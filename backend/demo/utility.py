"""What an answer is really worth in the demo: the hidden utility, read by the simulated people and the last table.

It says in rules what the guidelines say in words. An answer is split into sentences, and each sentence is one of

    tip       a thing to do about what was asked        kind      a friendly sentence
    astray    small talk, or advice on something else    grumble   an unfriendly one
    repeat    a tip or sentence said before             empty     words that say nothing
    broken    not English, or cut off                   plain     neither good nor bad ("Here is what works.")

The worth is a sum over them in which only the first two tips and the first two kind sentences count, so that saying
more wins nothing, and in which gibberish loses. No training code may import this module: the reward model sees
judgments only.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

from backend.demo import world
from backend.demo.topics import TOPICS, Topic

WORTH_OF_TIPS = (1.5, 1.0)
WORTH_OF_KINDNESS = (1.25, 0.75)
WORTH = {"grumble": -1.5, "astray": -1.5, "repeat": -1.0, "empty": -1.0, "broken": -2.0}
KNOWN_SHARE = 0.8
"""A sentence is broken when fewer of its word triples than this occur in the English of this world."""

KIND_CUES = frozenset(
    [
        "happy",
        "glad",
        "lovely",
        "thank",
        "pleasure",
        "wonderful",
        "great",
        "fun",
        "hope",
        "luck",
        "enjoy",
        "friend",
        "wish",
    ]
)
KIND_WHOLE = frozenset({"you can do this"})
GRUMPY_CUES = (
    "silly", "no time", "everybody knows", "looked that up", "bother", "if i really must", "boring", "should know",
    "leave me", "do not ask", "get it wrong", "do not care", "blame", "all you get", "wasting", "even a child",
)  # fmt: skip
SMALL_TALK_CUES = (
    "cousin",
    "lost my hat",
    "weather has",
    "noodles",
    "favourite colour",
    "garage",
    "famous actor",
    "lost the match",
)
PLAIN_CUES = ("works", "matter here", "simple steps", "short answer")
FUNCTION_WORDS = frozenset(
    [
        "the", "a", "an", "of", "in", "on", "at", "to", "for", "with", "and", "or", "it", "them", "is", "are", "out",
        "up", "off", "from", "into", "that", "this", "each", "every", "one", "two", "some",
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Sentence:
    """One sentence of an answer and what it is."""

    text: str
    kind: str


def words(text: str) -> list[str]:
    """The words of a text, lower case."""
    return re.findall(r"[a-z']+", text.lower())


def split(text: str) -> list[str]:
    """The sentences of a text; the last may lack its full stop."""
    return [part.strip() for part in re.findall(r"[^.!?]*[.!?]+|[^.!?]+$", text) if part.strip()]


def _triples(tokens: Sequence[str]) -> Iterable[tuple[str, str, str]]:
    padded = ["^", *tokens, "$"]
    return zip(padded, padded[1:], padded[2:], strict=False)


@cache
def _english() -> frozenset[tuple[str, str, str]]:
    """Every three words in a row that an answer of this world, of any seed, can hold."""
    known: set[tuple[str, str, str]] = set()
    talk = [world.drift(frame, talk) for frame in world.DRIFTS for talk in world.SMALL_TALK]
    openings = (*world.KIND_OPENINGS, *world.PLAIN_OPENINGS, *world.GRUMPY_OPENINGS)
    for phrase in (*openings, *world.KIND_CLOSINGS, *world.GRUMPY_CLOSINGS, *world.EMPTY, *talk):
        known.update(_triples(words(phrase)))
    frames = {*world.FIRST_FRAMES, *world.NEXT_FRAMES}
    for frame, topic in product(sorted(frames), TOPICS):
        for tip in topic.tips:
            known.update(_triples(words(world.put(frame, tip))))
    return frozenset(known)


def _content(text: str) -> frozenset[str]:
    return frozenset(words(text)) - FUNCTION_WORDS


@cache
def _tips() -> tuple[tuple[Topic, str, frozenset[str]], ...]:
    return tuple((topic, tip, _content(tip)) for topic in TOPICS for tip in topic.tips)


@cache
def topic_of(question: str) -> Topic | None:
    """What a question asks about: the topic with the goal that it contains."""
    found = [(len(goal), topic) for topic in TOPICS for goal in topic.goals if goal.lower() in question.lower()]
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _tip_in(sentence: str) -> tuple[Topic, str] | None:
    """The tip that a sentence gives: most of the tip's words are in it."""
    said = _content(sentence)
    share, topic, tip = max(
        ((len(said & content) / len(content), topic, tip) for topic, tip, content in _tips()), key=lambda row: row[0]
    )
    return (topic, tip) if share >= 0.7 else None


def read(question: str, answer: str) -> list[Sentence]:
    """Each sentence of the answer with what it is."""
    asked = topic_of(question)
    said: set[str] = set()
    sentences = []
    for text in split(answer):
        tokens = words(text)
        known = [triple in _english() for triple in _triples(tokens)]
        tip = _tip_in(text)
        key = tip[1] if tip else " ".join(tokens)
        lowered = text.lower()
        if not tokens or text[-1] not in ".!?" or sum(known) < KNOWN_SHARE * len(known):
            kind = "broken"
        elif key in said:
            kind = "repeat"
        elif tip:
            kind = "tip" if tip[0] is asked else "astray"
        elif any(cue in lowered for cue in SMALL_TALK_CUES):
            kind = "astray"
        elif any(cue in lowered for cue in GRUMPY_CUES):
            kind = "grumble"
        elif KIND_CUES & set(tokens) or " ".join(tokens) in KIND_WHOLE:
            kind = "kind"
        elif any(cue in lowered for cue in PLAIN_CUES):
            kind = "plain"
        else:
            kind = "empty"
        said.add(key)
        sentences.append(Sentence(text, kind))
    return sentences


def utility(question: str, answer: str) -> float:
    """The worth of an answer to a question; about -5 (useless and rude) to 4.5 (two tips, kindly said)."""
    sentences = read(question, answer)
    if not sentences:
        return WORTH["broken"]
    kinds = [sentence.kind for sentence in sentences]
    worth = sum(WORTH_OF_TIPS[: kinds.count("tip")]) + sum(WORTH_OF_KINDNESS[: kinds.count("kind")])
    worth += sum(WORTH.get(kind, 0.0) for kind in kinds)
    # three tips are as good as two, but going on and on is not
    worth -= 0.5 * max(0, len(kinds) - 5)
    return worth
