"""Ideal answers that annotators wrote: kept as demonstrations for fine-tuning as long as their judgment stands.

The same answer to the same prompt is one demonstration, whoever wrote it and whether it was imported as well.
"""

import uuid
from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from backend.domain.digests import digest
from backend.domain.masks import HIDDEN
from backend.tables import Demonstration, Judgment, Prompt


def keep(session: Session, judgment_ids: Collection[uuid.UUID]) -> None:
    """Make demonstrations of the ideal answers of those among these judgments that stand."""
    _keep(session, Judgment.id.in_(judgment_ids))


def withdraw(session: Session, judgment_ids: Collection[uuid.UUID]) -> None:
    """Remove the demonstrations of these judgments, which no longer stand; what others wrote as well stays."""
    removed = session.scalars(
        delete(Demonstration)
        .where(Demonstration.judgment_id.in_(judgment_ids))
        .returning(Demonstration.judgment_id)
        .execution_options(synchronize_session=False)
    ).all()
    if removed:
        prompts = select(Judgment.prompt_id).where(Judgment.id.in_(removed))
        _keep(session, Judgment.prompt_id.in_(prompts))


def _keep(session: Session, which: ColumnElement[bool]) -> None:
    written = session.execute(
        select(Judgment, Prompt.messages)
        .join(Prompt, Prompt.id == Judgment.prompt_id)
        .where(
            which,
            Judgment.ideal_answer.is_not(None),
            Judgment.stands,
        )
        .order_by(Judgment.sequence)
    )
    rows: dict[str, dict[str, Any]] = {}
    for judgment, messages in written:
        # Begun from an answer with hidden words, which nobody should learn to write.
        if judgment.ideal_answer is None or HIDDEN in judgment.ideal_answer:
            continue
        key = digest([messages, judgment.ideal_answer])
        rows.setdefault(
            key,
            {
                "project_id": judgment.project_id,
                "digest": key,
                "messages": messages,
                "text": judgment.ideal_answer,
                "judgment_id": judgment.id,
                "created_by": judgment.annotator_id,
            },
        )
    if rows:
        session.execute(insert(Demonstration).on_conflict_do_nothing(), list(rows.values()))
