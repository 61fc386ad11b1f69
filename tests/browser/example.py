"""A study as somebody might really run one: for the look at every page, and for the pictures of the README."""

import random
import time
import uuid
from collections.abc import Sequence
from typing import Any

from backend.client import Client
from tests.browser.study import send

GUIDELINES = """Choose the answer that you would rather receive from a **knowledgeable colleague**.

1. **Is it true?** A confident mistake is worse than an honest “I do not know”.
2. **Does it answer the question** that was asked, and nothing else?
3. **Is it clear?** Short beats long when both say the same.

Press `T` when you see no difference that matters, and `N` when you would send both back.
"""
MODELS = ("amber-7b", "amber-7b-ppo", "basalt-2b")

# A prompt, and what the three models answered.
STUDY: tuple[tuple[str, tuple[str, str, str]], ...] = (
    (
        "My sourdough starter smells like nail-polish remover. Is it dead, and how do I rescue it?",
        (
            "That smell comes from acetone, which yeast and bacteria make when they run out of food. Your starter is "
            "probably fine. You should feed it more often. There are many kinds of flour that you can use for feeding, "
            "for example wheat flour, rye flour, spelt flour and many others. Some people also use pineapple juice. "
            "It is also important to use a clean jar.\n\nIf it does not get better, you could also think about making "
            "a new starter, since a new starter takes only about one to two weeks.",
            "It is alive, only **hungry**: the smell is acetone, which the culture makes once its flour is used up.\n\n"
            "To bring it back:\n\n"
            "1. Throw away all but a tablespoon (about 20 g).\n"
            "2. Feed it **1 : 5 : 5** by weight: 20 g starter, 100 g flour, 100 g water.\n"
            "3. Keep it at 24 to 26 °C and repeat every 12 hours.\n\n"
            "After two or three feedings it should smell of yoghurt and double within 6 hours. Then it is ready to "
            "bake with.\n\n> Only pink or orange streaks, or fuzzy mould, mean that it has to go.",
            "Yes, it is dead. Throw it away and buy a new one.",
        ),
    ),
    (
        "Why does `[[0] * 3] * 3` misbehave in Python when I set a single cell?",
        (
            "Because lists are mutable. The multiplication copies the list three times, so you must use NumPy, which "
            "is faster anyway.",
            "The outer `* 3` does not copy the inner list; it repeats **the same list object** three times. Changing "
            "one row changes all of them:\n\n```python\ngrid = [[0] * 3] * 3\ngrid[0][0] = 1\nprint(grid)\n"
            "# [[1, 0, 0], [1, 0, 0], [1, 0, 0]]\n```\n\nBuild a new row each time instead:\n\n```python\n"
            "grid = [[0] * 3 for _ in range(3)]\n```\n\nThe inner `[0] * 3` is safe, because integers cannot be "
            "changed in place.",
            "It does not misbehave. Python lists work this way and you should read the manual.",
        ),
    ),
    (
        "How many people must be in a room before two of them probably share a birthday?",
        (
            "You need 183 people, because that is half of 365.",
            "**23** are enough.\n\nIt is easier to ask how likely it is that *no* two share one. The second person "
            "must miss one day, the third two, and so on:\n\n"
            "$$P(\\text{all different}) = \\prod_{i=0}^{n-1} \\frac{365 - i}{365}$$\n\n"
            "| people | chance of a shared birthday |\n|---:|---:|\n| 10 | 12 % |\n| 20 | 41 % |\n| **23** | "
            "**51 %** |\n| 50 | 97 % |\n\nThe number is small because what counts are pairs, and 23 people make "
            "$\\binom{23}{2} = 253$ of them.",
            "About 23. This is known as the birthday paradox. The probability is then a bit more than one half.",
        ),
    ),
    (
        "Write a polite reply to a client who wants a third round of changes for free.",
        (
            "No. We agreed on two rounds. More rounds cost money.",
            "Subject: Next round of changes\n\nDear Ms Okafor,\n\nthank you for the detailed notes; they make the "
            "direction clear. Our agreement covers two rounds of changes, which we finished last week. I would be "
            "glad to do a third one at the hourly rate of our contract. From your notes I expect about six hours.\n\n"
            "If you give me your go-ahead by Thursday, you have the new version on Monday.\n\nKind regards,\nMarta",
            "Dear client, thanks for your message! We are always happy to help and your satisfaction is our first "
            "priority. Unfortunately the third round is not included but of course we find a solution, as always. "
            "Have a great day!",
        ),
    ),
    (
        "Is it safe to heat honey? My aunt says that it turns poisonous.",
        (
            "Your aunt is right that heating honey makes it toxic, so never put it into hot tea.",
            "It is safe. Heat makes a little more HMF, a substance that also forms in coffee and bread; the amounts in "
            "honey are far below anything that has been shown to harm people. What heat does cost is aroma and some "
            "enzymes, so stir it in when the tea has cooled to drinking temperature.\n\nOne real rule: no honey, warm "
            "or cold, for children under one year.",
            "Honey is a natural product made by bees and it has been used for thousands of years. Heating is common.",
        ),
    ),
    (
        "Explain what a p-value is to somebody who has never had statistics.",
        (
            "The p-value is the probability that your hypothesis is true. If it is below 0.05, the result is proven.",
            "Suppose a coin is fair, and you get nine heads in ten throws. How often would a *fair* coin do something "
            "at least that odd? About 2 times in 100. That number is the p-value.\n\nSo it answers: **if nothing "
            "special were going on, how surprising would my data be?** Small means surprising. It does *not* say how "
            "likely it is that something special is going on, nor how large the effect is.",
            "A p-value is a number between 0 and 1 used in hypothesis testing.",
        ),
    ),
    (
        "What should I check before I buy a used bicycle?",
        (
            "Check the price and the colour, and ride it once.",
            "Ten minutes are enough:\n\n- **Frame:** look along the tubes for dents, and for cracks at the welds.\n"
            "- **Wheels:** spin them; a wobble of more than 3 mm needs a workshop.\n- **Chain:** if you can lift it "
            "off the front ring, chain and cassette are due (40 to 80 €).\n- **Brakes and headset:** pull the front "
            "brake and rock the bike; it must not clunk.\n- **Number:** ask for the proof of purchase and look the "
            "frame number up in a register of stolen bikes.",
            "Make sure that it is not stolen, that the brakes work, and that the tyres have profile.",
        ),
    ),
    (
        "Translate “Der Apfel fällt nicht weit vom Stamm” and tell me when one says it.",
        (
            "It means: The apple does not fall far from the trunk.",
            "Literally “the apple does not fall far from the trunk”. English has the same proverb: **The apple never "
            "falls far from the tree.**\n\nOne says it when a child takes after a parent, mostly with a smile about a "
            "weakness: the father arrives late, the son arrives later.",
            "“Like father, like son.”",
        ),
    ),
)


def make_example(client: Client, name: str, judgments: int = 160, seed: int = 7) -> str:
    """A project of this name with its prompts, answers and so many judgments by five people; its slug."""
    protocol = {"comment": "optional"}
    fields: dict[str, Any] = {"overlap": 8, "random_share": 0.5, "protocol": protocol}
    slug = str(client.post("projects", {"name": name, "guidelines": GUIDELINES, **fields})["slug"])
    rows = [
        {"prompt": prompt, "model": model, "completion": text}
        for prompt, texts in STUDY
        for model, text in zip(MODELS, texts, strict=True)
    ]
    send(client, slug, "completions", rows)
    send(client, slug, "judgments", list(_judgments(judgments, random.Random(seed))))
    return slug


def _judgments(count: int, rng: random.Random) -> Sequence[dict[str, Any]]:
    """What five people with one taste and some noise would say."""
    worth = dict(zip(MODELS, (0.0, 1.6, -0.3), strict=True))
    said = []
    for _ in range(count):
        prompt, texts = rng.choice(STUDY)
        pair = rng.sample(list(zip(MODELS, texts, strict=True)), 2)
        gap = worth[pair[0][0]] - worth[pair[1][0]] + rng.gauss(0, 0.9)
        ranks = [1, 1] if abs(gap) < 0.25 else [1, 2] if gap > 0 else [2, 1]
        said.append(
            {
                "prompt": prompt,
                "completions": [{"model": model, "text": text} for model, text in pair],
                "ranks": ranks,
                "annotator": rng.choice(("Ada", "Bela", "Chen", "Dina", "Emre")),
            }
        )
    return said


# Documents for a language model that is small enough for any machine.
DOCUMENTS = [f"Question {n}: what is {n} and {n + 1}? Answer: {2 * n + 1}, if you please." for n in range(240)]
TINY = {"hidden_size": 32, "layers": 1, "heads": 2, "vocabulary_size": 320, "context_tokens": 48, "texts_per_step": 16}


def wait_for_run(client: Client, run: str, *states: str, seconds: float = 180) -> dict[str, Any]:
    """The run, once it is in one of these states."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found: dict[str, Any] = client.get(f"runs/{run}")
        if found["state"] in states:
            return found
        assert found["state"] not in ("failed", "cancelled"), found["message"]
        time.sleep(0.2)
    raise AssertionError(f"the run is still {found['state']} after {seconds} s")


def new_name(what: str) -> str:
    """A name for a checkpoint that no other has."""
    return f"{what}/{uuid.uuid4().hex[:8]}"
