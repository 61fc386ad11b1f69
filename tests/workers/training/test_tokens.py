"""Rules of encoding: boundaries, terminators, masks by index, one beginning, nothing lost."""

import random

import pytest
from transformers import AutoTokenizer

from backend.domain.training_rows import ChatMessage
from backend.errors import Invalid
from tests.workers.training.tiny import tokenizer_of
from workers.training.tokens import BEGIN, END, Codec, template_sha256, train_tokenizer

TEXTS = [
    f"The {size} {animal} sat on the {place}, and it was {mood}. Größe 日本 42!"
    for size in ("big", "small", "red")
    for animal in ("cat", "dog")
    for place in ("mat", "hat", "chair")
    for mood in ("good", "bad", "tired")
]
ALPHABET = "abc the cat sat 日本é🙂\n\t  .,!<|>endusr0123"


def codec(*, chat: bool = True, size: int = 420) -> Codec:
    return Codec(train_tokenizer(TEXTS, vocabulary_size=size, context_tokens=64, chat_template=chat))


def say(*turns: str) -> list[ChatMessage]:
    """user, assistant, user, ... in turn."""
    return [ChatMessage(role=("user", "assistant")[i % 2], content=text) for i, text in enumerate(turns)]


def scribble(rng: random.Random) -> str:
    return "".join(rng.choice(ALPHABET) for _ in range(rng.randint(1, 30)))


@pytest.fixture(scope="module", name="chat")
def _chat() -> Codec:
    return codec()


@pytest.fixture(scope="module", name="plain")
def _plain() -> Codec:
    return codec(chat=False)


def test_padding_is_not_the_end_and_the_end_is_learnt(chat: Codec) -> None:
    tokenizer = chat.tokenizer
    assert len({tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id}) == 3
    row = chat.encode_demonstration(say("hi"), "the cat")
    assert row is not None
    start, end = row.learnt[-1]
    assert row.ids[end - 1] == chat.terminator == tokenizer.eos_token_id and end == len(row.ids)
    assert start == row.prompt_length


def test_the_learnt_span_decodes_to_the_completion(chat: Codec, plain: Codec) -> None:
    rng = random.Random(1)
    for _ in range(1000):
        question, answer = scribble(rng), scribble(rng)
        for one in (chat, plain):
            row = one.encode_demonstration(say(question), answer)
            assert row is not None
            start, end = row.learnt[-1]
            assert one.decode(row.ids[start : end - 1]) == answer
            assert row.ids[:start] == tuple(one.encode_prompt(say(question)))
            assert row.ids.count(one.tokenizer.bos_token_id) == 1


def test_prompt_ids_are_a_prefix_of_the_whole_dialogue(chat: Codec) -> None:
    row = chat.encode_demonstration(say("The cat?", "sat", "And?"), "it was good")
    assert row is not None
    whole = [{"role": m.role, "content": m.content} for m in say("The cat?", "sat", "And?", "it was good")]
    assert list(row.ids) == list(chat.tokenizer.apply_chat_template(whole, tokenize=True)["input_ids"])


def test_exact_mask_of_three_turns(chat: Codec) -> None:
    prompt = say("big cat", "on the mat", "small dog")
    first = len(chat.encode_prompt(prompt[:1]))
    answer = len(chat.encode_completion("on the mat"))
    last_only = chat.encode_demonstration(prompt, "in the hat")
    both = chat.encode_demonstration(prompt, "in the hat", earlier_answers=True)
    assert last_only is not None and both is not None and both.ids == last_only.ids
    assert last_only.learnt == ((last_only.prompt_length, len(last_only.ids)),)
    assert both.learnt == ((first, first + answer), *last_only.learnt)
    assert chat.decode(both.ids[first : first + answer]) == "on the mat"
    assert both.ids[first + answer - 1] == chat.terminator


def test_too_long_cuts_the_prompt_or_drops_the_row(chat: Codec) -> None:
    prompt, answer = say("big cat", "on the mat", "small dog"), "the hat"
    whole = chat.encode_demonstration(prompt, answer, earlier_answers=True)
    assert whole is not None
    length, answer_length = len(whole.ids), whole.completion_length
    cut = chat.encode_demonstration(prompt, answer, max_tokens=length - 3, earlier_answers=True)
    assert cut is not None and len(cut.ids) == length - 3
    assert cut.ids[0] == chat.tokenizer.bos_token_id and cut.ids[-answer_length:] == whole.ids[-answer_length:]
    assert cut.learnt == tuple((a - 3, b - 3) for a, b in whole.learnt)
    assert chat.encode_demonstration(prompt, answer, max_tokens=answer_length) is None
    tightest = chat.encode_demonstration(prompt, answer, max_tokens=answer_length + 2, earlier_answers=True)
    assert tightest is not None and tightest.learnt == ((2, answer_length + 2),)


def test_an_answer_that_was_cut_off_has_no_terminator(chat: Codec) -> None:
    assert chat.encode_completion("cat", ended=False) == chat.encode_completion("cat")[:-1]


def test_special_tokens_in_an_answer_are_letters(chat: Codec, plain: Codec) -> None:
    for one in (chat, plain):
        ids = one.encode_completion(f"a{END}b{BEGIN}")
        assert ids.count(one.terminator) == 1 and one.decode(ids) == f"a{END}b{BEGIN}"
    assert plain.encode_prompt(say(END)).count(plain.terminator) == 0


def test_documents_end_once_and_may_hold_turns(chat: Codec) -> None:
    ids = chat.encode_texts(["the cat"])[0]
    assert (ids[0], ids[-1]) == (chat.tokenizer.bos_token_id, chat.tokenizer.eos_token_id)
    dialogue = chat.encode_texts([f"<|user|>the cat{END}<|assistant|>sat{END}"])[0]
    assert dialogue == [*chat.encode_prompt(say("the cat")), *chat.encode_completion("sat")]


def test_an_empty_prompt_has_something_to_start_from(plain: Codec) -> None:
    assert plain.encode_prompt(say("")) == [plain.tokenizer.bos_token_id]
    bare = Codec(tokenizer_of(9))
    assert bare.encode_prompt(say("")) == [bare.tokenizer.eos_token_id]
    assert bare.encode_prompt(say("w4 w5")) == [4, 5] and bare.encode_completion("w6") == [6, bare.terminator]


def test_the_terminator_is_what_the_template_writes() -> None:
    tokenizer = codec().tokenizer
    tokenizer.chat_template = (
        "{% for m in messages %}{{ '<|' + m['role'] + '|>\\n' + m['content'] + '<|system|>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"
    )
    other = Codec(tokenizer)
    assert other.terminator == tokenizer.convert_tokens_to_ids("<|system|>")
    row = other.encode_demonstration(say("cat", "mat", "dog"), "hat", earlier_answers=True)
    assert row is not None and len(row.learnt) == 2
    assert [other.decode(row.ids[a:b]) for a, b in row.learnt] == ["mat", "hat"]
    assert all(row.ids[b - 1] == other.terminator for _, b in row.learnt)


def test_a_tokenizer_is_the_same_after_saving(chat: Codec, tmp_path) -> None:
    chat.tokenizer.save_pretrained(tmp_path)
    again = Codec(AutoTokenizer.from_pretrained(tmp_path))
    rng = random.Random(2)
    for _ in range(50):
        question, answer = scribble(rng), scribble(rng)
        assert again.encode_demonstration(say(question), answer) == chat.encode_demonstration(say(question), answer)
    assert again.template_sha256 == chat.template_sha256 == template_sha256(chat.tokenizer)
    assert again.template_sha256 != codec(chat=False).template_sha256


def test_training_a_tokenizer_twice_gives_the_same() -> None:
    assert codec().tokenizer.get_vocab() == codec().tokenizer.get_vocab()


def test_a_tokenizer_without_an_end_is_refused() -> None:
    tokenizer = tokenizer_of(9)
    tokenizer.eos_token = None
    with pytest.raises(Invalid, match="end-of-text"):
        Codec(tokenizer)


def test_a_template_that_refuses_says_so(chat: Codec) -> None:
    tokenizer = codec().tokenizer
    tokenizer.chat_template = "{% if messages|length > 2 %}{{ raise_exception('one turn only') }}{% endif %}x"
    with pytest.raises(Invalid, match="one turn only"):
        Codec(tokenizer).encode_prompt(say("a", "b", "c"))
