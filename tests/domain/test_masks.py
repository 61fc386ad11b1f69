"""Hidden phrases: what is hidden, what is not, and that no text or phrase makes it slow."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.masks import HIDDEN, MAX_PHRASE, MAX_PHRASES, clean, hidden, mask, origin
from backend.errors import Invalid

B = HIDDEN


@pytest.mark.parametrize(
    ("text", "phrases", "shown"),
    [
        ("I am ChatGPT.", ["chatgpt"], f"I am {B}."),
        ("CHATGPT and ChatGPT", ["ChatGPT"], f"{B} and {B}"),
        ("nothing here", ["ChatGPT"], "nothing here"),
        ("", ["x"], ""),
        ("x", ["x"], B),
        # A star takes as little as it can inside of a phrase, and across lines.
        ("As a model trained by OpenAI, I", ["as a * by openai"], f"{B}, I"),
        ("a model\nby Acme", ["a model by acme"], B),
        ("made  by Acme", ["made by acme"], "made  by Acme"),
        # At the end as many as there are on the line, up to 40.
        ("I was made by Acme.\nTea?", ["made by *"], f"I was {B}\nTea?"),
        (f"by {'x' * 50}", ["by *"], f"{B}{'x' * 10}"),
        ("Hi!\nMy name is Bard", ["* is bard"], f"Hi!\n{B}"),
        # 40 characters lie between, and 41 are too many.
        (f"a{'-' * 40}z", ["a*z"], B),
        (f"a{'-' * 41}z", ["a*z"], f"a{'-' * 41}z"),
        # The nearest middle does not reach the end; a later one does.
        (f"<b{'-' * 29}b{'-' * 30}>", ["<*b*>"], B),
        # Parts that touch or lie in one another are one.
        ("abcd", ["ab", "cd"], B),
        ("abcdef", ["abcd", "bc"], f"{B}ef"),
        ("aaaa", ["aa"], B),
        # Letters whose small form is longer keep the places of those after them.
        ("İİ GPT", ["gpt"], f"İİ {B}"),
        ("ΟΔΥΣΣΕΥΣ λέει", ["οδυσσευς"], f"{B} λέει"),
        ("a.b", ["a?b"], "a.b"),
    ],
)
def test_what_is_hidden(text: str, phrases: list[str], shown: str) -> None:
    assert mask(text, phrases) == shown


@pytest.mark.parametrize("phrases", [["*"], [" ** "], [""], ["a*" * 9], ["x" * (MAX_PHRASE + 1)]])
def test_phrases_that_are_refused(phrases: list[str]) -> None:
    with pytest.raises(Invalid) as refused:
        clean(phrases)
    assert refused.value.field == "masks"


def test_phrases_are_kept_once_and_trimmed() -> None:
    assert clean([" As a model ", "as a MODEL", "by **"]) == ["As a model", "by *"]
    assert len(clean([f"p{n}" for n in range(MAX_PHRASES)])) == MAX_PHRASES
    with pytest.raises(Invalid):
        clean([f"p{n}" for n in range(MAX_PHRASES + 1)])


WORDS = st.text("abcİ \n", max_size=60)


@given(WORDS, st.lists(st.text("abc* ", min_size=1, max_size=6).filter(lambda p: p.strip("* ")), max_size=3))
def test_no_phrase_without_a_star_is_left(text: str, phrases: list[str]) -> None:
    shown = mask(text, phrases)
    for phrase in phrases:
        if "*" not in phrase:
            assert all(phrase.lower() not in part.lower().replace("\n", " ") for part in shown.split(HIDDEN))
    spans = hidden(text, phrases)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(first[1] < second[0] for first, second in pairwise(spans))


@given(WORDS, st.integers(0, 60), st.integers(0, 60))
def test_a_part_of_what_is_shown_is_found_in_the_text(text: str, start: int, length: int) -> None:
    spans = hidden(text, ["b", "ca"])
    shown = mask(text, ["b", "ca"])
    end = min(len(shown), start + length)
    if start >= end:
        return
    first, last = origin(spans, start, end)
    # Hidden parts come whole, so what is shown of the part found begins and ends as what was marked.
    assert 0 <= first < last <= len(text)
    if HIDDEN[0] not in shown[start:end]:
        assert text[first:last] == shown[start:end]


def test_a_part_that_touches_a_hidden_one_takes_it_whole() -> None:
    text, phrases = "I am ChatGPT, yes", ["ChatGPT"]
    assert mask(text, phrases) == f"I am {HIDDEN}, yes"
    assert origin(hidden(text, phrases), 2, 6) == (2, 12)
    assert origin(hidden(text, phrases), 8, 13) == (12, 17)
    assert origin(hidden(text, phrases), 7, 9) == (5, 13)


def test_no_text_makes_it_slow() -> None:
    phrases = clean([f"as a number {n} model by *" for n in range(MAX_PHRASES)])
    answers = ["As a language model I would say that tea is a drink. " * 40] * 10
    began = time.process_time()
    assert [mask(answer, phrases) for answer in answers] == answers
    assert time.process_time() - began < 5, "ten answers of 2,000 characters, 200 phrases"
    began = time.process_time()
    mask("a" * 50_000, ["a*a*a*a*a*a*a*b", "a*a*a*a*a*a*a*a"])
    assert time.process_time() - began < 5
