"""Many at once over real HTTP: nothing twice, nothing lost, nothing beyond the overlap, no deadlock."""

import asyncio
import socket
import threading
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import func, select, text

from backend.services import accounts, sessions
from backend.tables import Comparison, Judgment, Project, Prompt, Standing
from tests.factories import make_study
from tests.services.test_gold import add_gold

ANNOTATORS = 50


@pytest.fixture
def address(app: FastAPI) -> Iterator[str]:
    """The application behind a real server on a free port."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/api/v1"
        server.should_exit = True
        thread.join()


def tokens(app: FastAPI, count: int, *scopes: str, role: str = "annotator") -> list[str]:
    """API tokens of as many new people."""
    with app.state.session_factory.begin() as session:
        people = [accounts.create_user(session, email=f"{role}{n}@example.org", role=role) for n in range(count)]
        return [sessions.create_token(session, one, name="t", scopes=scopes or ("annotate",))[0] for one in people]


def study(app: FastAPI, **options: int) -> str:
    with app.state.session_factory.begin() as session:
        return make_study(session, **options).slug


def at_once(address: str, secrets: list[str], work: Callable[[httpx2.AsyncClient], Awaitable[None]]) -> None:
    """Run the same work for every token at the same time, each over connections of its own."""

    async def one(secret: str) -> None:
        headers = {"Authorization": f"Bearer {secret}"}
        async with httpx2.AsyncClient(base_url=address, headers=headers, timeout=120) as client:
            await work(client)

    async def all_of_them() -> None:
        await asyncio.gather(*(one(secret) for secret in secrets))

    # In a thread of its own: while a browser is open for other tests, this one has a running loop.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(all_of_them())).result()


def verdict(comparison: dict[str, Any], ranks: tuple[int, int] = (1, 2)) -> dict[str, Any]:
    return {"comparison": comparison["id"], "lease": comparison["lease"]["id"], "ranks": list(ranks)}


def assert_books_balance(app: FastAPI, overlap: int) -> None:
    """No set of completions is judged or on lease more often than asked for, and prompts know how often."""
    open_ones = Comparison.state.in_(("leased", "judged"))
    with app.state.session_factory() as session:
        too_often = session.execute(
            select(Comparison.prompt_id, Comparison.set_key)
            .where(open_ones, Comparison.kind == "regular")
            .group_by(Comparison.prompt_id, Comparison.set_key)
            .having(func.count() > overlap)
        ).all()
        assert too_often == []
        counted = (
            select(func.count())
            .where(Comparison.prompt_id == Prompt.id, open_ones, Comparison.kind == "regular")
            .scalar_subquery()
        )
        assert session.execute(select(Prompt.handed_out, counted).where(Prompt.handed_out != counted)).all() == []
        twice = session.execute(
            select(Comparison.annotator_id, Comparison.set_key)
            .where(open_ones, Comparison.kind == "regular")
            .group_by(Comparison.annotator_id, Comparison.set_key)
            .having(func.count() > 1)
        ).all()
        assert twice == [], "nobody is asked the same twice"


def test_fifty_annotators_finish_a_study(app: FastAPI, address: str):
    """More people than work: 20 prompts with one pair each, three judgments asked of each."""
    slug = study(app, prompts=20, models=2, overlap=3)
    statuses: Counter[int] = Counter()
    kept: list[str] = []

    async def work(client: httpx2.AsyncClient) -> None:
        while True:
            answer = await client.post(f"/projects/{slug}/comparisons/next")
            statuses[answer.status_code] += 1
            items = answer.json()["items"]
            if not items:
                return
            answer = await client.put(f"/judgments/{uuid.uuid4()}", json=verdict(items[0]))
            statuses[answer.status_code] += 1
            assert answer.json()["counted"], answer.text
            kept.append(answer.json()["id"])

    began = time.monotonic()
    at_once(address, tokens(app, ANNOTATORS), work)
    assert set(statuses) == {200, 201}, statuses
    assert statuses[201] == len(set(kept)) == 20 * 3, "everything asked for was judged, and nothing more"
    assert time.monotonic() - began < 60
    with app.state.session_factory() as session:
        assert {str(id) for id in session.scalars(select(Judgment.id))} == set(kept)
    assert_books_balance(app, 3)


def test_a_hundred_annotators_share_the_work_fairly(app: FastAPI, address: str):
    """Hardly more places than a hundred people need for three each: everybody gets three, no lease goes to two."""
    # One round more than needed: the very last place could be of a prompt that the last person has seen.
    slug = study(app, prompts=20, models=2, overlap=16)
    leases: list[str] = []
    done: Counter[str] = Counter()

    async def work(client: httpx2.AsyncClient) -> None:
        who = client.headers["Authorization"]
        while done[who] < 3:
            answer = await client.post(f"/projects/{slug}/comparisons/next")
            assert answer.status_code == 200, answer.text
            (item,) = answer.json()["items"]
            leases.append(item["lease"]["id"])
            answer = await client.put(f"/judgments/{uuid.uuid4()}", json=verdict(item))
            assert answer.status_code == 201 and answer.json()["counted"], answer.text
            done[who] += 1

    at_once(address, tokens(app, 100), work)
    assert len(leases) == len(set(leases)) == 300
    assert len(done) == 100 and set(done.values()) == {3}
    assert_books_balance(app, 16)


def test_gold_repeats_and_skips_leave_the_books_balanced(app: FastAPI, address: str):
    """A crowd over a project with everything switched on: every place asked for is judged, or its set is retired."""
    with app.state.session_factory.begin() as session:
        project = make_study(
            session, prompts=24, models=2, overlap=3, gold_share=0.2, repeat_share=0.1, skips_to_retire=4
        )
        slug = project.slug
        for number in range(6):
            add_gold(session, project, number=number)
        hard = set(session.scalars(select(Prompt.id).order_by(Prompt.id).offset(20)))
    kinds: Counter[str] = Counter()

    async def work(client: httpx2.AsyncClient) -> None:
        while items := (await client.post(f"/projects/{slug}/comparisons/next", params={"count": 3})).json()["items"]:
            for item in items:
                if uuid.UUID(item["prompt"]["id"]) in hard:
                    answer = await client.post(f"/comparisons/{item['id']}/skip", json={"reason": "too hard"})
                    assert answer.status_code == 204, answer.text
                else:
                    answer = await client.put(f"/judgments/{uuid.uuid4()}", json=verdict(item))
                    assert answer.status_code == 201, answer.text
                kinds[item["prompt"]["id"]] += 1

    at_once(address, tokens(app, 12), work)
    assert_books_balance(app, 3)
    with app.state.session_factory() as session:
        for prompt in session.scalars(select(Prompt)):
            assert (prompt.handed_out, prompt.sets_retired) == ((0, 1) if prompt.id in hard else (3, 0))
        rows = session.scalars(select(Comparison).order_by(Comparison.annotator_id, Comparison.id)).all()
        assert {"regular", "gold"} <= {row.kind for row in rows}
        for before, after in pairwise(rows):
            if before.annotator_id == after.annotator_id:
                assert (before.kind, after.kind) != ("gold", "gold")
        seen = Counter((row.annotator_id, row.set_key) for row in rows if row.kind != "repeat")
        assert set(seen.values()) == {1}


def test_a_qualification_answered_all_at_once_is_decided(app: FastAPI, address: str):
    """Answers, questions for more and a reload cross each other; nobody waits for anybody, and all are let in."""
    with app.state.session_factory.begin() as session:
        slug = (project := make_study(session, prompts=12, models=2, overlap=9)).slug
        known = {add_gold(session, project, "qualification", number).completions[0] for number in range(6)}
    statuses: Counter[int] = Counter()

    async def work(client: httpx2.AsyncClient) -> None:
        path = f"/projects/{slug}/comparisons/next"
        items = (await client.post(path, params={"count": 6})).json()["items"]
        calls = []
        for item in items:
            right = (1, 2) if uuid.UUID(item["completions"][0]["id"]) in known else (2, 1)
            calls.append(client.put(f"/judgments/{uuid.uuid4()}", json=verdict(item, right)))
            calls.append(client.post(path, params={"count": 6}))
        statuses.update(answer.status_code for answer in await asyncio.gather(*calls))
        handed = (await client.post(path, params={"count": 2})).json()
        # With one in hand, nobody waits for a prompt that somebody else is just given.
        assert handed["stage"]["name"] == "work" and handed["items"]

    at_once(address, tokens(app, 8), work)
    assert set(statuses) == {200, 201} and statuses[201] == 8 * 6
    with app.state.session_factory() as session:
        standings = session.scalars(select(Standing)).all()
        assert [(one.state, one.right, one.asked) for one in standings] == [("qualified", 6, 6)] * 8
    assert_books_balance(app, 9)


def test_the_last_place_goes_to_one(app: FastAPI, address: str):
    slug = study(app, prompts=1, models=2, overlap=1)
    got: list[str] = []

    async def work(client: httpx2.AsyncClient) -> None:
        answer = await client.post(f"/projects/{slug}/comparisons/next")
        got.extend(item["id"] for item in answer.json()["items"])

    at_once(address, tokens(app, 20), work)
    assert len(got) == 1
    assert_books_balance(app, 1)


def test_two_tabs_hold_the_same_comparisons(app: FastAPI, address: str):
    slug = study(app, prompts=10, models=2)
    got: list[str] = []

    async def work(client: httpx2.AsyncClient) -> None:
        answers = await asyncio.gather(
            *(client.post(f"/projects/{slug}/comparisons/next", params={"count": 3}) for _ in range(8))
        )
        for answer in answers:
            got.extend(item["id"] for item in answer.json()["items"])

    at_once(address, tokens(app, 1), work)
    assert len(got) == 24 and len(set(got)) == 3
    assert_books_balance(app, 1)


def test_the_same_judgment_sent_many_times_at_once_is_one(app: FastAPI, address: str):
    slug = study(app)

    async def work(client: httpx2.AsyncClient) -> None:
        comparison = (await client.post(f"/projects/{slug}/comparisons/next")).json()["items"][0]
        id = uuid.uuid4()
        answers = await asyncio.gather(*(client.put(f"/judgments/{id}", json=verdict(comparison)) for _ in range(12)))
        assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 11}
        assert {answer.json()["created_at"] for answer in answers} == {answers[0].json()["created_at"]}

    at_once(address, tokens(app, 1), work)
    with app.state.session_factory() as session:
        assert session.scalar(select(func.count()).select_from(Judgment)) == 1


def test_of_two_judgments_of_one_comparison_one_counts(app: FastAPI, address: str):
    slug = study(app)

    async def work(client: httpx2.AsyncClient) -> None:
        comparison = (await client.post(f"/projects/{slug}/comparisons/next")).json()["items"][0]
        answers = await asyncio.gather(
            *(client.put(f"/judgments/{uuid.uuid4()}", json=verdict(comparison, (2, 1))) for _ in range(8))
        )
        assert {answer.status_code for answer in answers} == {201}
        assert sum(answer.json()["counted"] for answer in answers) == 1

    at_once(address, tokens(app, 1), work)
    assert_books_balance(app, 1)


def test_one_id_for_two_comparisons_is_one_judgment(app: FastAPI, address: str):
    slug = study(app, prompts=6)

    async def work(client: httpx2.AsyncClient) -> None:
        held = (await client.post(f"/projects/{slug}/comparisons/next", params={"count": 6})).json()["items"]
        id = uuid.uuid4()
        answers = await asyncio.gather(*(client.put(f"/judgments/{id}", json=verdict(one)) for one in held))
        assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 5}

    at_once(address, tokens(app, 1), work)
    with app.state.session_factory() as session:
        assert session.scalar(select(func.count()).select_from(Judgment)) == 1
        states = Counter(session.scalars(select(Comparison.state)))
        assert states == {"judged": 1, "leased": 5}, "what was refused is still to be judged"
    assert_books_balance(app, 1)


def test_undoing_judging_skipping_and_renewing_at_once(app: FastAPI, address: str):
    """In whatever order they arrive, the books balance and nobody hears a crash."""
    slug = study(app, prompts=12, models=3, overlap=2)
    statuses: Counter[int] = Counter()

    async def work(client: httpx2.AsyncClient) -> None:
        for _ in range(3):
            items = (await client.post(f"/projects/{slug}/comparisons/next", params={"count": 2})).json()["items"]
            for item in items:
                id = uuid.uuid4()
                answers = await asyncio.gather(
                    client.put(f"/judgments/{id}", json=verdict(item)),
                    client.put(f"/judgments/{uuid.uuid4()}", json=verdict(item)),
                    client.delete(f"/judgments/{id}"),
                    client.post(f"/comparisons/{item['id']}/skip"),
                    client.post(f"/leases/{item['lease']['id']}/renew"),
                    client.delete(f"/leases/{item['lease']['id']}"),
                    client.delete(f"/judgments/{id}"),
                )
                statuses.update(answer.status_code for answer in answers)

    at_once(address, tokens(app, 8), work)
    assert set(statuses) <= {200, 201, 204, 404, 409}, statuses
    assert_books_balance(app, 2)


def test_a_crowd_larger_than_the_connections_is_served(app: FastAPI, address: str):
    """Three hundred at once on a dozen connections: each waits its turn without a thread, and none gives up."""
    statuses: Counter[int] = Counter()

    async def work(client: httpx2.AsyncClient) -> None:
        answers = await asyncio.gather(*(client.get("/projects") for _ in range(30)))
        statuses.update(answer.status_code for answer in answers)

    at_once(address, tokens(app, 10, "read"), work)
    assert statuses == {200: 300}


def test_people_who_leave_in_the_middle_hold_nothing(app: FastAPI, address: str):
    """Clients that hang up while they wait, or in the middle of an export, give their places back."""
    slug = study(app, prompts=300, models=4)
    (secret,) = tokens(app, 1, "admin", role="admin")

    async def leave(client: httpx2.AsyncClient) -> None:
        for _ in range(8):
            async with client.stream("GET", f"/projects/{slug}/export", params={"what": "completions"}) as answer:
                assert answer.status_code == 200
                async for _ in answer.aiter_bytes(100):
                    break
        waiting = [asyncio.create_task(client.get(f"/projects/{slug}/prompts")) for _ in range(40)]
        await asyncio.sleep(0.05)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        answer = await client.get(f"/projects/{slug}")
        assert answer.status_code == 200

    at_once(address, [secret], leave)
    pool = app.state.session_factory.kw["bind"].pool
    deadline = time.monotonic() + 10
    while pool.checkedout() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert pool.checkedout() == 0
    with app.state.session_factory() as session:
        session.execute(text("SELECT 1"))
        idle = "state LIKE 'idle in transaction%' AND datname = current_database()"
        assert session.scalar(text(f"SELECT count(*) FROM pg_stat_activity WHERE {idle}")) == 0
    answer = httpx2.get(
        f"{address}/projects/{slug}/export?what=completions", headers={"Authorization": f"Bearer {secret}"}
    )
    assert answer.status_code == 200 and answer.text.count("\n") == 1200


def test_a_project_changed_twice_at_once(app: FastAPI, address: str):
    """Two new versions of the guidelines at once: one wins, the other hears of it, no version is lost."""
    slug = study(app)
    statuses: Counter[int] = Counter()

    async def work(client: httpx2.AsyncClient) -> None:
        answers = await asyncio.gather(
            *(client.patch(f"/projects/{slug}", json={"guidelines": f"Version {n}."}) for n in range(6))
        )
        statuses.update(answer.status_code for answer in answers)

    at_once(address, tokens(app, 1, "admin", role="admin"), work)
    assert set(statuses) <= {200, 409} and statuses[200] >= 1
    with app.state.session_factory() as session:
        project = session.scalars(select(Project)).one()
        assert project.guidelines_version == 1 + statuses[200]
        assert session.scalar(text("SELECT count(*) FROM guidelines_versions")) == project.guidelines_version
