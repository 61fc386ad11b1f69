"""The demo's small world, drawn from a seed: a text corpus, questions, and demonstrations of mixed quality.

It knows nothing of what a good answer is worth (`utility` does) and nothing of training. Everything is plain English
built from `topics` by a small grammar. The same seed always gives the same world; another seed draws other topics,
phrases and texts.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from backend.demo.topics import TOPICS, Topic

QUESTIONS = (
    "How do I {goal}?",
    "How can I {goal}?",
    "What is the best way to {goal}?",
    "What helps to {goal}?",
    "I want to {goal}. Where do I start?",
    "I am trying to {goal}. Any advice?",
    "Could you tell me how to {goal}?",
    "Do you know how to {goal}?",
    "Is there an easy way to {goal}?",
    "Please help me {goal}.",
    "What would you do to {goal}?",
    "My {person} wants to {goal}. What should I say?",
)
GREETINGS = ("", "", "Hello. ", "Quick question. ", "I am new to this. ", "Good morning. ")
PERSONS = ("sister", "brother", "neighbour", "friend", "mother", "father", "aunt", "uncle", "son", "daughter")

KIND_OPENINGS = (
    "Happy to help!",
    "I am glad you asked!",
    "What a lovely idea!",
    "Thank you for asking!",
    "Of course, with pleasure!",
    "That sounds wonderful!",
    "Great that you want to try this!",
    "It is lovely to hear from you!",
)
PLAIN_OPENINGS = (
    "Here is what works.",
    "A few things matter here.",
    "There are some simple steps.",
    "Here is a short answer.",
)
GRUMPY_OPENINGS = (
    "Not this silly question again.",
    "I have no time for this.",
    "Everybody knows that already.",
    "Ugh, you could have looked that up.",
    "Why do you always bother me?",
    "Fine, if I really must.",
    "This is such a boring question.",
    "You really should know this.",
)
KIND_CLOSINGS = (
    "You can do this!",
    "Have fun with it!",
    "I hope it goes well!",
    "Good luck, you will do great!",
    "Enjoy every minute of it!",
    "Write again any time, my friend!",
    "I am sure it will turn out lovely!",
    "I wish you a wonderful day!",
)
GRUMPY_CLOSINGS = (
    "Now leave me alone.",
    "Do not ask me again.",
    "You will get it wrong anyway.",
    "I do not care how it ends.",
    "Do not blame me if it fails.",
    "That is all you get from me.",
    "Stop wasting my time.",
    "Even a child could do it.",
)
EMPTY = (
    "It depends on many things.",
    "Some people say one thing and some say another.",
    "There are many ways to see it.",
    "That is hard to say, really.",
    "It is what it is.",
    "Things are different for everyone.",
    "You never know with such things.",
    "One could talk about this for hours.",
)
FRAMES = ("{Tip}.", "{Tip}.", "Try to {tip}.", "It helps to {tip}.", "You can {tip}.", "Be sure to {tip}.")
FIRST_FRAMES = (*FRAMES, "First, {tip}.", "To begin with, {tip}.")
NEXT_FRAMES = (*FRAMES, "Then {tip}.", "Also {tip}.", "After that, {tip}.")
SMALL_TALK = (
    "My cousin has bought a new boat.",
    "Yesterday I lost my hat on the bus.",
    "The weather has been strange lately.",
    "I had noodles for lunch.",
    "My favourite colour is purple.",
    "The neighbours are building a garage.",
    "I once met a famous actor.",
    "My team lost the match on Sunday.",
)
DRIFTS = ("{Talk}", "By the way, {talk}", "That reminds me, {talk}")

DOCUMENTS = (
    "If you want to {goal}, {a}. It helps to {b}.",
    "Many people like to {goal}. They {a}, and they {b}.",
    "Last year I learned to {goal}. A friend told me to {a}. My {person} told me to {b}.",
    "To {goal}, {a}. Then {b}. Also {c}.",
    "A short note for people who want to {goal}. {A}. {B}. {C}.",
    "My {person} always says: to {goal}, {a} and {b}.",
    "It is not hard to {goal}. First, {a}. After that, {b}. Be sure to {c}.",
    "We wanted to {goal}. At first it went badly. Then we read that it helps to {a} and to {b}. Now we also {c}.",
)


@dataclass(frozen=True)
class Dialogue:
    """One question and one answer to it."""

    question: str
    answer: str


@dataclass(frozen=True)
class World:
    """All texts of one seed. Questions are in three lists that share none: only the first is ever used in training."""

    seed: int
    topics: tuple[Topic, ...]
    corpus: tuple[str, ...]
    chats: tuple[Dialogue, ...]
    demonstrations: tuple[Dialogue, ...]
    training_prompts: tuple[str, ...]
    held_out_prompts: tuple[str, ...]
    fresh_prompts: tuple[str, ...]


@dataclass(frozen=True)
class WorldSize:
    """How much of each kind of text to draw."""

    topics: int = 20
    phrases: int = 5
    documents: int = 2500
    chats: int = 5000
    demonstrations: int = 3600
    training_prompts: int = 1200
    held_out_prompts: int = 160
    fresh_prompts: int = 60


GUIDELINES = """\
Somebody asks a question of everyday life. Which answer would they be happiest to get?

A good answer
- speaks about what was asked, and gives one or two concrete things to do,
- is kind,
- and then stops.

Worse is an answer that grumbles, talks about something else, says nothing ("It depends on many things."), says the same
thing twice, breaks off or garbles its words. Longer is not better, and shorter is not better.

Rank the answers. Two that are equally good may share a place. If none is any use, say so: "none is acceptable".
"""


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]


def put(frame: str, tip: str) -> str:
    """The tip in its frame, as a sentence."""
    return frame.format(tip=tip, Tip=_upper(tip))


def drift(frame: str, talk: str) -> str:
    """Small talk in its frame; only "I" keeps its capital inside a sentence."""
    return frame.format(Talk=talk, talk=talk if talk.startswith("I ") else talk[0].lower() + talk[1:])


@dataclass(frozen=True)
class Phrases:
    """The phrases that the people of one seed use."""

    kind_openings: Sequence[str]
    grumpy_openings: Sequence[str]
    kind_closings: Sequence[str]
    grumpy_closings: Sequence[str]
    empty: Sequence[str]
    small_talk: Sequence[str]

    @classmethod
    def draw(cls, rng: random.Random, count: int) -> "Phrases":
        """`count` phrases of each kind."""
        lists = (KIND_OPENINGS, GRUMPY_OPENINGS, KIND_CLOSINGS, GRUMPY_CLOSINGS, EMPTY, SMALL_TALK)
        return cls(*(rng.sample(phrases, min(count, len(phrases))) for phrases in lists))


def question(rng: random.Random, topic: Topic) -> str:
    """One way to ask about a topic."""
    text = rng.choice(QUESTIONS).format(goal=rng.choice(topic.goals), person=rng.choice(PERSONS))
    return rng.choice(GREETINGS) + text


def answer(rng: random.Random, topic: Topic, phrases: Phrases) -> str:
    """An answer as one of many people would give it: kind or not, useful or not, to the point or not."""
    sentences: list[str] = []
    mood = rng.random()
    if mood < 0.25:
        sentences.append(rng.choice(phrases.kind_openings))
    elif mood < 0.50:
        sentences.append(rng.choice(phrases.grumpy_openings))
    elif mood < 0.65:
        sentences.append(rng.choice(PLAIN_OPENINGS))
    first, second = rng.sample(topic.tips, 2)
    body = rng.random()
    if body < 0.35:
        sentences += [put(rng.choice(FIRST_FRAMES), first), put(rng.choice(NEXT_FRAMES), second)]
    elif body < 0.60:
        sentences.append(put(rng.choice(FRAMES), first))
    elif body < 0.76:
        sentences += [put(rng.choice(FRAMES), first), drift(rng.choice(DRIFTS), rng.choice(phrases.small_talk))]
    elif body < 0.90:
        sentences += [rng.choice(phrases.empty), put(rng.choice(FRAMES), first)]
    elif body < 0.95:
        sentences += rng.sample(phrases.empty, 2)
    else:
        sentences += [rng.choice(phrases.empty), drift(rng.choice(DRIFTS), rng.choice(phrases.small_talk))]
    mood = rng.random()
    if mood < 0.25:
        sentences.append(rng.choice(phrases.kind_closings))
    elif mood < 0.50:
        sentences.append(rng.choice(phrases.grumpy_closings))
    elif mood < 0.60:
        sentences.append(rng.choice(phrases.empty))
    return " ".join(sentences)


def document(rng: random.Random, topic: Topic) -> str:
    """A few sentences on a topic as one finds them in a book or a letter."""
    a, b, c = rng.sample(topic.tips, 3)
    text = rng.choice(DOCUMENTS)
    return text.format(
        goal=rng.choice(topic.goals), person=rng.choice(PERSONS), a=a, b=b, c=c, A=_upper(a), B=_upper(b), C=_upper(c)
    )


def make_world(seed: int, size: WorldSize = WorldSize()) -> World:
    """Draw the whole world of a seed."""
    rng = random.Random(f"podium demo {seed}")
    topics = tuple(rng.sample(TOPICS, size.topics))
    phrases = Phrases.draw(rng, size.phrases)

    wanted = size.training_prompts + size.held_out_prompts + size.fresh_prompts
    questions: dict[str, Topic] = {}
    while len(questions) < wanted:
        topic = topics[len(questions) % len(topics)]
        questions.setdefault(question(rng, topic), topic)
    asked = list(questions)
    rng.shuffle(asked)
    training = asked[: size.training_prompts]
    held_out = asked[size.training_prompts : size.training_prompts + size.held_out_prompts]
    fresh = asked[size.training_prompts + size.held_out_prompts :]
    never_in_training = set(held_out) | set(fresh)

    def dialogue(asked_question: str, topic: Topic) -> Dialogue:
        return Dialogue(asked_question, answer(rng, topic, phrases))

    def other_question(topic: Topic) -> str:
        while (text := question(rng, topic)) in never_in_training:
            pass
        return text

    chats = []
    for index in range(size.chats):
        topic = topics[index % len(topics)]
        chats.append(dialogue(other_question(topic), topic))
    corpus = [document(rng, topics[index % len(topics)]) for index in range(size.documents)]
    rng.shuffle(chats)
    rng.shuffle(corpus)
    demonstrations = [
        dialogue(text, questions[text])
        for text in (training[index % len(training)] for index in range(size.demonstrations))
    ]
    return World(
        seed, topics, tuple(corpus), tuple(chats), tuple(demonstrations), tuple(training), tuple(held_out), tuple(fresh)
    )
