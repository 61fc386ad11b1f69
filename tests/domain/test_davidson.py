"""Davidson's ties: golden values of a real study, and numbers by hand."""

import math

import numpy as np
import pytest

from backend.domain.davidson import fit_davidson
from backend.domain.elo import POINTS_PER_LOG_ODDS, START
from backend.errors import Invalid
from tests.domain.real_data import votes as real_votes


def test_golden_ties_of_a_real_study() -> None:
    votes = real_votes()
    place = {name: i for i, name in enumerate(sorted({name for vote in votes for name in (vote.left, vote.right)}))}
    wins, ties = np.zeros((2, len(place), len(place)))
    for vote in votes:
        a, b = place[vote.left], place[vote.right]
        if vote.score == 0.5:
            ties[a, b] += 1
            ties[b, a] += 1
        else:
            wins[(a, b) if vote.score == 1.0 else (b, a)] += 1
    fit = fit_davidson(wins, ties)
    rated = {name: START + POINTS_PER_LOG_ODDS * float(fit.utility[i]) for name, i in place.items()}
    best = sorted(rated.items(), key=lambda item: -item[1])[:5]
    assert fit.v == pytest.approx(0.739854, abs=1e-6)
    assert [name for name, _ in best][:3] == ["GPT 4", "Platypus-2 Instruct (70B)", "command"]
    assert [rating for _, rating in best] == pytest.approx(
        [1304.278690, 1197.361711, 1193.336067, 1174.843255, 1166.217477], abs=1e-5
    )


def test_ties_by_hand() -> None:
    # Two models, 6 decisions for a, 2 for b, 4 ties: e^d = 3, and 2v/(e^(d/2) + e^(-d/2)) = 4/8.
    fit = fit_davidson(np.array([[0.0, 6.0], [2.0, 0.0]]), np.array([[0.0, 4.0], [4.0, 0.0]]))
    assert fit.utility[0] - fit.utility[1] == pytest.approx(math.log(3))
    assert fit.v == pytest.approx((math.sqrt(3) + 1 / math.sqrt(3)) / 4)
    with pytest.raises(Invalid):
        fit_davidson(np.array([[0.0, 6.0], [2.0, 0.0]]), np.zeros((2, 2)))
