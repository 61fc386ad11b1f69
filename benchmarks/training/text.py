"""Dialogues that nobody said: made-up words by Zipf's law, lengths spread as those of real prompts and answers are."""

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

WORDS = 12_000
SYLLABLES = [first + vowel + end for first in (*"bdfgklmnprstvz", "sh", "st") for vowel in "aeiou" for end in ("", "n")]


class Dialogue(NamedTuple):
    """A prompt with a better and a worse answer."""

    prompt: str
    chosen: str
    rejected: str


def made_up(count: int, seed: int) -> Iterator[Dialogue]:
    """The median prompt has 55 words and the median answer 24, both log-normal; some prompts are ten times as long."""
    draw = random.Random(seed)
    words = ["".join(draw.choices(SYLLABLES, k=draw.choice((1, 2, 2, 3)))) for _ in range(WORDS)]
    weights = [1 / (rank + 3) for rank in range(WORDS)]

    def say(median: int) -> str:
        size = max(4, round(draw.lognormvariate(0, 0.75) * median))
        return " ".join(draw.choices(words, weights, k=size)).capitalize() + "."

    for _ in range(count):
        yield Dialogue(say(55), say(24), say(24))


def read(path: Path, count: int, seed: int) -> list[Dialogue]:
    """From lines of {"chosen", "rejected"}: dialogues alike up to the last "Assistant:" (those of hh-rlhf are)."""
    mark = "\n\nAssistant:"
    found = []
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            prompt, _, chosen = row["chosen"].rpartition(mark)
            other, _, rejected = row["rejected"].rpartition(mark)
            if prompt == other and chosen.strip() and rejected.strip() and chosen != rejected:
                found.append(Dialogue(prompt.strip(), chosen.strip(), rejected.strip()))
    random.Random(seed).shuffle(found)
    return found[:count]
