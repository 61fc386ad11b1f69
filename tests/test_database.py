"""Ids are version 7, rise strictly within a process, and carry the time."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from backend.database import uuid7


def test_ids_rise_and_are_version_7() -> None:
    ids = [uuid7() for _ in range(20_000)]
    assert ids == sorted(ids) and len(set(ids)) == len(ids)
    assert {(one.version, one.variant) for one in ids} == {(7, uuid.RFC_4122)}
    assert abs((ids[0].int >> 80) - time.time() * 1000) < 5000


def test_threads_get_different_ids() -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda _: uuid7(), range(5000)))
    assert len({one.int >> 64 for one in ids}) == len(ids)
