"""Prompts, models, completions, documents and demonstrations: adding them once, and reading them in bulk."""

import json
import re
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Text, and_, cast, func, literal, select, update
from sqlalchemy.dialects.postgresql import JSONB, UUID, distinct_on, insert
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.types import TypeEngine

from backend.database import uuid7
from backend.domain.digests import digest
from backend.errors import Conflict, Invalid, NotFound
from backend.services import bulk
from backend.tables import Completion, CompletionRating, Demonstration, Document, Model, Prompt, Run

Messages = list[dict[str, Any]]

# A Hub id: two segments that begin and end with a letter, digit or underscore.
_SEGMENT = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?"
_HUB_NAME = re.compile(f"{_SEGMENT}/{_SEGMENT}")
# What makes two completions the same: prompt, model, and the digest of the text.
CompletionKey = tuple[uuid.UUID, uuid.UUID, str]
_TEXT_ONLY = {"project_id", "prompt_id", "model_id", "text", "digest"}
_RESERVED = {"api", "datasets", "models", "spaces", "kernels", "buckets", "oauth", "hub", "imported"}


def check_model_name(name: str, field: str = "name") -> None:
    """Raise Invalid unless `name` can be a repository on a Hub."""
    if not _HUB_NAME.fullmatch(name) or "--" in name or ".." in name or name.endswith(".git"):
        raise Invalid(
            f"“{name}” is not a model name: write namespace/name with letters, digits, “-”, “_” and “.”.", field=field
        )
    if name.split("/")[0] in _RESERVED:
        raise Invalid(f"The namespace “{name.split('/')[0]}” is reserved.", field=field)


# --- models ---------------------------------------------------------------------------------------------------------


def register_model(
    session: Session, *, name: str, source: dict[str, Any], created_by: uuid.UUID | None = None
) -> Model:
    """Add a model to the registry. Raises Conflict when the name is taken."""
    if source["kind"] != "imported":
        check_model_name(name)
    if session.scalar(select(Model.id).where(Model.name == name)):
        raise Conflict(f"A model named “{name}” is already registered.", field="name")
    model = Model(name=name, source=source, created_by=created_by)
    session.add(model)
    session.flush()
    return model


def resolve_model(session: Session, key: str, field: str = "model") -> Model:
    """The model with this name or id. Raises NotFound with the field at fault."""
    try:
        condition = Model.id == uuid.UUID(key)
    except ValueError:
        condition = Model.name == key
    model = session.scalar(select(Model).where(condition))
    if model is None:
        raise NotFound(f"There is no model “{key}”.", field=field)
    return model


def ensure_imported_models(session: Session, names: Iterable[str]) -> tuple[dict[str, uuid.UUID], int]:
    """Ids of imported models by name, and how many were new."""
    names = sorted(set(names))
    if not names:
        return {}, 0
    rows = [{"name": name, "source": {"kind": "imported"}} for name in names]
    created = session.scalars(insert(Model).on_conflict_do_nothing().returning(Model.id), rows).all()
    found = session.execute(select(Model.name, Model.id).where(Model.name.in_(names)))
    return dict(found.all()), len(created)


# --- prompts --------------------------------------------------------------------------------------------------------


def ensure_prompts(session: Session, project_id: uuid.UUID, prompts: Sequence[Messages]) -> tuple[list[uuid.UUID], int]:
    """Ids of these prompts in the given order, and how many were new."""
    digests = [digest(messages) for messages in prompts]
    wanted = dict(zip(digests, prompts, strict=True))
    if not wanted:
        return [], 0

    ids = _prompt_ids(session, project_id, list(wanted))
    missing = [key for key in wanted if key not in ids]
    if not missing:
        return [ids[key] for key in digests], 0
    rows = bulk.table(
        {
            "id": (UUID(as_uuid=True), [uuid7() for _ in missing]),
            "digest": (Text(), missing),
            # As text: lists in a list would be taken for an array of two dimensions.
            "messages": (Text(), [json.dumps(wanted[key], ensure_ascii=False) for key in missing]),
        }
    )
    new = select(rows.c.id, literal(project_id, UUID(as_uuid=True)), rows.c.digest, cast(rows.c.messages, JSONB))
    statement = insert(Prompt).from_select(["id", "project_id", "digest", "messages"], new)
    created = session.execute(statement.on_conflict_do_nothing().returning(Prompt.id)).all()
    ids |= _prompt_ids(session, project_id, missing)
    return [ids[key] for key in digests], len(created)


def _prompt_ids(session: Session, project_id: uuid.UUID, digests: list[str]) -> dict[str, uuid.UUID]:
    keys = bulk.table({"digest": (Text(), digests)})
    found = select(Prompt.digest, Prompt.id).join(keys, keys.c.digest == Prompt.digest)
    return dict(session.execute(found.where(Prompt.project_id == project_id)).all())


def count_in(session: Session, count: InstrumentedAttribute[int], more: Mapping[uuid.UUID, int]) -> None:
    """Add to a count that many prompts keep, in one statement; prompts that the session has loaded are out of date."""
    if not more:
        return
    ids = sorted(more)
    # Locked in the order of ids, so that two imports at once cannot wait for each other.
    listed = bulk.table({"id": (UUID(as_uuid=True), ids)})
    locking = select(Prompt.id).join(listed, listed.c.id == Prompt.id).order_by(Prompt.id)
    session.execute(locking.with_for_update(of=Prompt, key_share=True)).all()
    added = bulk.table({"id": (UUID(as_uuid=True), ids), "more": (BigInteger(), [more[id] for id in ids])})
    session.execute(
        update(Prompt)
        .where(Prompt.id == added.c.id)
        .values({count: count + added.c.more})
        .execution_options(synchronize_session=False)
    )


def prompt_rows(session: Session, project_id: uuid.UUID) -> Iterator[dict[str, Any]]:
    """`{"id", "prompt", "digest"}` of every prompt of a project, oldest first, for as long as somebody asks."""
    statement = select(Prompt.id, Prompt.messages, Prompt.digest).where(Prompt.project_id == project_id)
    with session.execute(statement.order_by(Prompt.id).execution_options(yield_per=1000)) as rows:
        for id, messages, key in rows:
            yield {"id": str(id), "prompt": messages, "digest": key}


# --- completions ----------------------------------------------------------------------------------------------------


def ensure_completions(
    session: Session, project_id: uuid.UUID, rows: Sequence[dict[str, Any]]
) -> tuple[list[uuid.UUID], int]:
    """Ids of these completions in the given order, and how many were new.

    A row has `prompt_id`, `model_id`, `text` and whatever else the table keeps. The same text by the same model for
    the same prompt is one completion: a second copy could only be compared with itself.
    """
    if not rows:
        return [], 0
    keyed: dict[CompletionKey, dict[str, Any]] = {}
    keys = []
    digests = {text: digest(text) for text in {row["text"] for row in rows}}
    for row in rows:
        key = (row["prompt_id"], row["model_id"], digests[row["text"]])
        keys.append(key)
        if key not in keyed:
            keyed[key] = {**row, "project_id": project_id, "digest": key[2]}
    ids = _completion_ids(session, list(keyed))
    missing = [key for key in keyed if key not in ids]
    if not missing:
        return [ids[key] for key in keys], 0
    created = _insert_completions(session, [keyed[key] for key in missing])
    count_in(session, Prompt.completions, Counter(created))
    # What is new was never compared, and these prompts are locked already.
    fresh = bulk.table({"id": (UUID(as_uuid=True), list(set(created)))})
    unsettle = update(Prompt).where(Prompt.id == fresh.c.id, Prompt.settled).values(settled=False)
    session.execute(unsettle.execution_options(synchronize_session=False))
    ids |= _completion_ids(session, missing)
    return [ids[key] for key in keys], len(created)


def _completion_ids(session: Session, keys: Sequence[CompletionKey]) -> dict[CompletionKey, uuid.UUID]:
    wanted = bulk.table(
        {
            "place": (BigInteger(), range(len(keys))),
            "prompt_id": (UUID(as_uuid=True), [key[0] for key in keys]),
            "model_id": (UUID(as_uuid=True), [key[1] for key in keys]),
            "digest": (Text(), [key[2] for key in keys]),
        }
    )
    same = and_(
        Completion.prompt_id == wanted.c.prompt_id,
        Completion.model_id == wanted.c.model_id,
        Completion.digest == wanted.c.digest,
    )
    found = session.execute(select(wanted.c.place, Completion.id).join(Completion, same))
    return {keys[place]: id for place, id in found}


def _insert_completions(session: Session, rows: list[dict[str, Any]]) -> Sequence[uuid.UUID]:
    """Those not yet there; the prompt of each. What was only read from a file has no more than its text: many such go
    in one statement."""
    statement = insert(Completion)
    if rows[0].keys() > _TEXT_ONLY:
        return session.scalars(statement.on_conflict_do_nothing().returning(Completion.prompt_id), rows).all()
    kinds: dict[str, TypeEngine[Any]] = {
        name: Text() if name in ("digest", "text") else UUID(as_uuid=True) for name in sorted(_TEXT_ONLY)
    }
    new = bulk.table(
        {
            "id": (UUID(as_uuid=True), [uuid7() for _ in rows]),
            **{name: (kind, [row[name] for row in rows]) for name, kind in kinds.items()},
        }
    )
    statement = statement.from_select(["id", *kinds], select(*(new.c[name] for name in ("id", *kinds))))
    return session.scalars(statement.on_conflict_do_nothing().returning(Completion.prompt_id)).all()


def add_completions(session: Session, run: Run, rows: Iterable[dict[str, Any]]) -> int:
    """Store what a `sample` run generated; doing it again for the same run adds nothing. Returns how many were new."""
    if run.project_id is None:
        raise Invalid("A sample run belongs to a project.")
    added = 0
    batch: list[dict[str, Any]] = []

    def flush() -> None:
        nonlocal added, batch
        if run.project_id is not None:
            added += ensure_completions(session, run.project_id, batch)[1]
        batch = []

    for row in rows:
        batch.append(
            {
                "prompt_id": uuid.UUID(row["prompt"]),
                "model_id": uuid.UUID(row["model"]),
                "text": clean(row["text"]),
                "finish_reason": row.get("finish_reason"),
                "sampling": row.get("sampling"),
                "token_ids": row.get("token_ids"),
                "logprobs": row.get("logprobs"),
                "run_id": run.id,
            }
        )
        if len(batch) >= 500:
            flush()
    flush()
    return added


def clean(text: str) -> str:
    """PostgreSQL keeps no NUL and no lone surrogate; a model may write either."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def prompt_completions(session: Session, prompt_id: uuid.UUID) -> list[tuple[Completion, str, CompletionRating | None]]:
    """A prompt's completions with their model's name and rating, best first."""
    rows = session.execute(
        select(Completion, Model.name, CompletionRating)
        .join(Model, Model.id == Completion.model_id)
        .outerjoin(CompletionRating, CompletionRating.completion_id == Completion.id)
        .where(Completion.prompt_id == prompt_id)
        .order_by(func.coalesce(CompletionRating.elo, 1000).desc(), Completion.id)
    )
    return [(completion, name, rating) for completion, name, rating in rows]


# --- documents and demonstrations -----------------------------------------------------------------------------------


def add_documents(session: Session, project_id: uuid.UUID, texts: Iterable[str]) -> int:
    """Store texts for pretraining; returns how many were new."""
    rows = {key: {"project_id": project_id, "digest": key, "text": text} for text in texts for key in [digest(text)]}
    if not rows:
        return 0
    statement = insert(Document).on_conflict_do_nothing().returning(Document.id)
    return len(session.scalars(statement, list(rows.values())).all())


def add_demonstrations(session: Session, project_id: uuid.UUID, pairs: Iterable[tuple[Messages, str]]) -> int:
    """Store prompts with answers worth imitating; returns how many were new."""
    rows = {}
    for messages, text in pairs:
        key = digest([messages, text])
        rows[key] = {"project_id": project_id, "digest": key, "messages": messages, "text": text}
    if not rows:
        return 0
    statement = insert(Demonstration).on_conflict_do_nothing().returning(Demonstration.id)
    return len(session.scalars(statement, list(rows.values())).all())


def documents(session: Session, project_id: uuid.UUID) -> Iterator[dict[str, Any]]:
    """`{"text"}` of every document of a project."""
    statement = select(Document.text).where(Document.project_id == project_id).order_by(Document.id)
    for text in session.scalars(statement.execution_options(yield_per=1000)):
        yield {"text": text}


def demonstrations(session: Session, project_id: uuid.UUID) -> Iterator[dict[str, Any]]:
    """`{"prompt", "completion"}` of every demonstration of a project."""
    statement = select(Demonstration.messages, Demonstration.text).where(Demonstration.project_id == project_id)
    with session.execute(statement.order_by(Demonstration.id).execution_options(yield_per=1000)) as rows:
        for messages, text in rows:
            yield {"prompt": messages, "completion": text}


def best_ranked(session: Session, project_id: uuid.UUID, min_judgments: int = 1) -> Iterator[dict[str, Any]]:
    """`{"prompt", "completion", "digest"}`: the best-rated completion of each prompt, among those judged enough."""
    statement = (
        select(Prompt.messages, Completion.text, Prompt.digest)
        .ext(distinct_on(Prompt.id))
        .join(Completion, Completion.prompt_id == Prompt.id)
        .join(CompletionRating, CompletionRating.completion_id == Completion.id)
        .where(Prompt.project_id == project_id, CompletionRating.judgments >= min_judgments)
        .order_by(Prompt.id, CompletionRating.elo.desc(), Completion.id)
    )
    for messages, text, key in session.execute(statement.execution_options(yield_per=1000)):
        yield {"prompt": messages, "completion": text, "digest": key}
