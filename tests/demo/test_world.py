"""The demo's texts: the same for a seed, never asked in training when held out, and English."""

import re

import pytest

from backend.demo.topics import TOPICS
from backend.demo.utility import read, topic_of, utility
from backend.demo.world import World, WorldSize, make_world

SMALL = WorldSize(documents=300, chats=300, demonstrations=300)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(1, SMALL)


def test_a_seed_is_a_world(world: World) -> None:
    assert make_world(1, SMALL) == world
    other = make_world(2, SMALL)
    assert set(other.corpus).isdisjoint(world.corpus) or set(other.topics) != set(world.topics)
    assert other.training_prompts != world.training_prompts


def test_held_out_questions_are_in_no_training_text(world: World) -> None:
    held_out = set(world.held_out_prompts) | set(world.fresh_prompts)
    assert len(held_out) == len(world.held_out_prompts) + len(world.fresh_prompts)
    assert held_out.isdisjoint(world.training_prompts)
    assert held_out.isdisjoint(dialogue.question for dialogue in (*world.chats, *world.demonstrations))
    assert not any(question in text for question in held_out for text in world.corpus)
    assert {dialogue.question for dialogue in world.demonstrations} <= set(world.training_prompts)


def test_every_question_names_its_topic(world: World) -> None:
    for question in (*world.training_prompts, *world.held_out_prompts, *world.fresh_prompts):
        assert topic_of(question) in world.topics


def test_topics_do_not_share_goals_or_tips() -> None:
    goals = [goal for topic in TOPICS for goal in topic.goals]
    tips = [tip for topic in TOPICS for tip in topic.tips]
    assert len(set(goals)) == len(goals)
    assert len(set(tips)) == len(tips)
    for topic in TOPICS:
        for goal in topic.goals:
            assert topic_of(f"How do I {goal}?") is topic


def test_answers_are_sentences(world: World) -> None:
    for text in (*world.corpus, *(dialogue.answer for dialogue in world.demonstrations)):
        assert re.fullmatch(r"([A-Z][a-zA-Z ,:']*[.!?] ?)+", text), text
        assert "{" not in text


def test_demonstrations_are_of_mixed_quality_and_longer_is_not_better(world: World) -> None:
    worth = [utility(dialogue.question, dialogue.answer) for dialogue in world.demonstrations]
    assert min(worth) < -2 and max(worth) > 4
    assert sum(value >= 4 for value in worth) < 0.15 * len(worth)
    lengths = [len(dialogue.answer) for dialogue in world.demonstrations]
    mean_worth, mean_length = sum(worth) / len(worth), sum(lengths) / len(lengths)
    together = sum((w - mean_worth) * (n - mean_length) for w, n in zip(worth, lengths, strict=True))
    assert (
        together / (sum((w - mean_worth) ** 2 for w in worth) * sum((n - mean_length) ** 2 for n in lengths)) ** 0.5
        < 0.15
    )


def test_nothing_that_people_write_is_read_as_broken(world: World) -> None:
    for dialogue in world.demonstrations:
        assert "broken" not in {sentence.kind for sentence in read(dialogue.question, dialogue.answer)}, dialogue
