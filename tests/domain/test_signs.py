"""Signs for review: each shows what it is made for, and does not where it should not."""

import numpy as np

from backend.domain.signs import of_slope, one_answer, too_fast


def names(slope: float, error: float, lean: float = 0.0, lean_error: float = 0.1) -> list[str]:
    return [sign.name for sign in of_slope(slope, error, lean, lean_error)]


def test_slopes_and_leans_with_two_errors_to_spare() -> None:
    assert names(0.1, 0.19) == ["chance"] and names(0.1, 0.21) == []
    assert names(-0.5, 0.2) == ["contrary"] and names(-0.5, 0.3) == ["chance"]
    assert names(1.0, 0.1, 1.3, 0.14) == ["lean"] and names(1.0, 0.1, -1.3, 0.14) == ["lean"]
    assert names(1.0, 0.1, 1.3, 0.16) == []
    (sign,) = of_slope(1.0, 0.1, -np.log(4.0), 0.1)
    assert "shown last" in sign.sentence and "80%" in sign.sentence


def crowd(speed: dict[int, float], judgments: int = 60, seed: int = 0) -> tuple[np.ndarray, ...]:
    """People with this many seconds for a text of 1,000 bytes; time grows as the square root of the length."""
    rng = np.random.default_rng(seed)
    people = np.repeat(list(speed), judgments)
    length = rng.lognormal(7, 0.8, len(people))
    seconds = np.repeat(list(speed.values()), judgments) * np.sqrt(length / 1000) * rng.lognormal(0, 0.6, len(people))
    return people, (seconds * 1000).astype(int), length.astype(int)


def test_who_clicks_through_is_told_from_who_is_quick() -> None:
    speed = {1: 20.0, 2: 25.0, 3: 15.0, 4: 10.0, 7: 2.0}
    found = too_fast(*crowd(speed))
    assert list(found) == [7] and "Half of 60 judgments" in found[7].sentence
    # Where nearly half click through, they are still not what is usual.
    assert set(too_fast(*crowd({1: 20.0, 2: 25.0, 3: 15.0, 8: 2.0, 9: 2.0}))) == {8, 9}


def test_short_texts_are_no_haste() -> None:
    """Everybody is equally fast; one gets texts of a twentieth of the length, and takes a fifth of the time."""
    people, taken, length = crowd(dict.fromkeys(range(6), 20.0), judgments=200)
    mine = people == 5
    length, taken = np.where(mine, length // 20, length), np.where(mine, taken / np.sqrt(20), taken).astype(int)
    assert np.median(taken[mine]) < 0.3 * np.median(taken[~mine])
    assert too_fast(people, taken, length) == {}


def test_few_times_tell_nothing() -> None:
    speed = {1: 20.0, 2: 25.0, 7: 2.0}
    assert list(too_fast(*crowd(speed, 40))) == [7]
    assert too_fast(*crowd(speed, 19)) == {}
    assert too_fast(*crowd({1: 20.0, 7: 2.0})) == {}
    people, taken, length = crowd(speed)
    assert too_fast(people, np.zeros_like(taken), length) == {}
    assert too_fast(people[:0], taken[:0], length[:0]) == {}


def test_false_alarms_are_rare() -> None:
    """200 crowds of 20 people who differ by half in speed: nobody clicks through."""
    rng = np.random.default_rng(4)
    alarms = sum(
        len(too_fast(*crowd(dict(enumerate(20 * rng.lognormal(0, 0.4, 20))), 25, seed))) for seed in range(200)
    )
    assert alarms <= 0.005 * 200 * 20


def test_one_answer_always_where_others_differ() -> None:
    others = {"ann": {"1,2": 40, "2,1": 40, "1,1": 20}, "bob": {"1,2": 30, "2,1": 35}}
    found = one_answer({**others, "cat": {"1,2": 58, "2,1": 2}})
    assert list(found) == ["cat"] and found["cat"].sentence.startswith(
        "Gave one and the same answer, the one shown first"
    )
    assert "97% of 60" in found["cat"].sentence and "42%" in found["cat"].sentence
    assert one_answer({**others, "cat": {"1,2": 56, "2,1": 4}}) == {}
    assert one_answer({**others, "cat": {"2,1": 29}}) == {}
    assert "“none is acceptable”" in one_answer({**others, "cat": {"none": 30}})["cat"].sentence
    assert "a tie" in one_answer({**others, "cat": {"1,1,1": 30}})["cat"].sentence
    assert "shown last" in one_answer({**others, "cat": {"2,1": 30}})["cat"].sentence
    assert "2, 1, 3 in the order" in one_answer({**others, "cat": {"2,1,3": 30}})["cat"].sentence


def test_what_all_say_is_no_sign() -> None:
    """Where nearly everything is a tie, to say so always is what everybody does."""
    assert one_answer({"ann": {"1,1": 95, "1,2": 5}, "bob": {"1,1": 93, "2,1": 7}, "cat": {"1,1": 40}}) == {}
    assert one_answer({"ann": {"1,2": 50}}) == {}
    assert one_answer({}) == {}
