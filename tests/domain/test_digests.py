"""Digests and the ids that follow from names."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from backend.domain.digests import named_id


@given(st.uuids(), st.text(st.characters(exclude_categories=["Cs"])))
def test_the_id_of_a_name_is_the_one_of_the_standard(namespace: uuid.UUID, name: str) -> None:
    assert named_id(namespace, name) == uuid.uuid5(namespace, name)
