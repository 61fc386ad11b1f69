"""Labels of clusters, numbered and ordered."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import sandwich


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 2**40)) | st.tuples(st.integers(0, 2**20), st.just(1)), min_size=1
    )
)
def test_pairs_of_labels_are_numbered_in_their_order(pairs: list[tuple[int, int]]) -> None:
    first, second = np.array(pairs).T
    order = sandwich._order(first, second)
    assert [pairs[i] for i in order] == sorted(pairs)
    assert all(i < j for i, j in pairwise(order.tolist()) if pairs[i] == pairs[j]), "stable"
    ranked = {pair: number for number, pair in enumerate(sorted(set(pairs)))}
    assert sandwich._together(first, second).tolist() == [ranked[pair] for pair in pairs]
    values = sorted(set(second.tolist()))
    assert sandwich._numbered(second).tolist() == [values.index(label) for label in second.tolist()]
