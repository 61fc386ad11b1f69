"""A small preference study for a browser test, made over REST; and what the database holds of it afterwards."""

import io
import itertools
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, select

from backend.client import Client
from backend.tables import Comparison, Completion, Judgment, Model, Project, Prompt

Json = dict[str, Any]

_numbers = itertools.count(1)

PASSWORD = "correct horse battery"
GUIDELINES = "Choose the answer that you would **rather receive**.\n\n1. Is it true?\n2. Is it clear?"
MODELS = ("amber-7b", "basalt-2b")


@dataclass(frozen=True)
class Person:
    """Somebody with an account and a password."""

    id: str
    email: str
    password: str = PASSWORD


@dataclass(frozen=True)
class Said:
    """A judgment as the database has it, with the texts in the order in which they were shown."""

    id: str
    texts: tuple[str, ...]
    ranks: tuple[int, ...] | None
    annotator: str
    comment: str | None
    strength: int | None
    voided: bool
    counted: bool
    active_ms: int | None


@dataclass(frozen=True)
class Study:
    """A project and what is in it."""

    slug: str
    name: str
    client: Client
    engine: Engine
    texts: Mapping[str, str] = field(default_factory=dict)  # completion -> model

    @property
    def address(self) -> str:
        """The path of its pages."""
        return f"/projects/{self.slug}"

    def send(self, format: str, rows: Sequence[Json]) -> Json:
        """Import rows."""
        return send(self.client, self.slug, format, rows)

    def said(self) -> list[Said]:
        """Every judgment of the project in the order of arrival, the voided and the uncounted ones too."""
        with self.engine.connect() as connection:
            found = connection.execute(
                select(Completion.id, Completion.text)
                .join(Prompt, Prompt.id == Completion.prompt_id)
                .join(Project, Project.id == Prompt.project_id)
                .where(Project.slug == self.slug)
            )
            texts = {row.id: row.text for row in found}
            rows = connection.execute(
                select(Judgment.__table__, Comparison.completions)
                .join(Comparison, Comparison.id == Judgment.comparison_id)
                .join(Project, Project.id == Judgment.project_id)
                .where(Project.slug == self.slug)
                .order_by(Judgment.sequence)
            ).all()
        return [
            Said(
                id=str(row.id),
                texts=tuple(texts[one] for one in row.completions),
                ranks=None if row.ranks is None else tuple(row.ranks),
                annotator=str(row.annotator_id),
                comment=row.comment,
                strength=row.strength,
                voided=row.voided_at is not None,
                counted=row.uncounted_reason is None,
                active_ms=row.active_ms,
            )
            for row in rows
        ]

    def states(self) -> dict[str, int]:
        """How many of its comparisons are in which state."""
        with self.engine.connect() as connection:
            rows = connection.execute(
                select(Comparison.state)
                .join(Project, Project.id == Comparison.project_id)
                .where(Project.slug == self.slug)
            ).all()
        states = [row.state for row in rows]
        return {state: states.count(state) for state in set(states)}

    def models(self) -> set[str]:
        """The names of its models and the parts of them, which no annotator may learn."""
        with self.engine.connect() as connection:
            names = connection.scalars(
                select(Model.name)
                .distinct()
                .join(Completion, Completion.model_id == Model.id)
                .join(Prompt, Prompt.id == Completion.prompt_id)
                .join(Project, Project.id == Prompt.project_id)
                .where(Project.slug == self.slug)
            ).all()
        assert names
        return {part for name in names for part in (name, name.removeprefix("imported/"))}

    def judge(self, count: int, better: str = MODELS[0]) -> None:
        """Judge so many comparisons over REST as the admin: the better model wins."""
        for _ in range(count):
            items = self.client.post(f"projects/{self.slug}/comparisons/next", count=1)["items"]
            if not items:
                return
            (item,) = items
            first = self.texts[item["completions"][0]["text"]] == better
            body = {"comparison": item["id"], "lease": item["lease"]["id"], "ranks": [1, 2] if first else [2, 1]}
            self.client._json("PUT", f"judgments/{uuid.uuid4()}", json=body)


def send(client: Client, slug: str, format: str, rows: Sequence[Json]) -> Json:
    """Import rows into a project."""
    body = "\n".join(json.dumps(row) for row in rows).encode()
    report: Json = client.send_file(
        f"projects/{slug}/imports", io.BytesIO(body), len(body), lambda _: None, format=format, filename="rows.jsonl"
    )
    assert report["rejected_total"] == 0, report["rejected"]
    return report


def make_study(
    client: Client,
    engine: Engine,
    *,
    prompts: int = 30,
    answers: Sequence[tuple[str, str]] | None = None,
    **project: Any,
) -> Study:
    """A project with `prompts` prompts of two answers each, or with these (prompt, answer) of two models in turn.

    Every text is different, so what is on the screen tells which comparison it is.
    """
    name = project.pop("name", f"Study {next(_numbers)}")
    fields = {"guidelines": GUIDELINES, "repeat_share": 0.0, "random_share": 1.0} | project
    slug = client.post("projects", {"name": name, **fields})["slug"]
    if answers is None:
        size = project.get("protocol", {}).get("size", 2)
        answers = [
            (f"Question {number} of {slug}?", f"Answer {letter} to question {number} of {slug}.")
            for number in range(prompts)
            for letter in "KLMNOPQRS"[:size]
        ]
    named = [*MODELS, *(f"model-{number}" for number in range(3, 10))]
    seen: dict[str, int] = {}
    rows = []
    for prompt, text in answers:
        rows.append({"prompt": prompt, "model": named[seen.setdefault(prompt, 0)], "completion": text})
        seen[prompt] += 1
    send(client, slug, "completions", rows)
    return Study(slug, name, client, engine, {row["completion"]: row["model"] for row in rows})
