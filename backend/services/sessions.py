"""Proofs of identity: browser sessions, API tokens, and what each may do. Knows no HTTP; secrets are stored hashed."""

import hashlib
import secrets
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Select, delete, or_, select, update
from sqlalchemy.orm import Session

from backend.errors import Forbidden, Invalid, NotFound
from backend.tables import Token, User, UserSession

SCOPES = ("read", "annotate", "admin")
SCOPES_OF_ROLE = {
    "annotator": frozenset({"read", "annotate"}),
    "admin": frozenset(SCOPES),
}
TOKEN_PREFIX = "podium_"

# How often a use is written down: a write on every request would make one hot row of each busy annotator.
USE_IS_NOTED_EVERY = timedelta(minutes=1)


def digest(secret: str) -> str:
    """What is stored of a secret that has 256 random bits of its own (so no salt and no slow hash)."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def start(session: Session, user: User, *, hours: float, user_agent: str | None = None) -> tuple[str, UserSession]:
    """Sign a person in: the secret for the cookie, and the stored session."""
    now = datetime.now(UTC)
    session.execute(delete(UserSession).where(UserSession.user_id == user.id, UserSession.expires_at < now))
    secret = secrets.token_urlsafe(32)
    signed_in = UserSession(
        id=digest(secret),
        user_id=user.id,
        csrf_token=secrets.token_urlsafe(32),
        user_agent=(user_agent or "")[:300] or None,
        expires_at=now + timedelta(hours=hours),
    )
    session.add(signed_in)
    user.last_seen_at = now
    session.flush()
    return secret, signed_in


def by_cookie(session: Session, secret: str) -> tuple[User, UserSession] | None:
    """Who holds this cookie; None when the session has ended or the person is disabled."""
    row = session.execute(
        select(User, UserSession)
        .join(UserSession, UserSession.user_id == User.id)
        .where(
            UserSession.id == digest(secret),
            UserSession.expires_at > datetime.now(UTC),
            User.disabled_at.is_(None),
        )
    ).first()
    return None if row is None else (row[0], row[1])


def by_token(session: Session, secret: str) -> tuple[User, Token] | None:
    """Whose API token this is; None when it does not exist, has expired, or the person is disabled."""
    row = session.execute(
        select(User, Token)
        .join(Token, Token.user_id == User.id)
        .where(
            Token.secret_hash == digest(secret),
            or_(Token.expires_at.is_(None), Token.expires_at > datetime.now(UTC)),
            User.disabled_at.is_(None),
        )
    ).first()
    return None if row is None else (row[0], row[1])


def note_use(session: Session, user: User, token: Token | None) -> None:
    """Write down, at most once a minute, that the person (and the token) was active. Never waits for a lock."""
    now = datetime.now(UTC)
    if user.last_seen_at is None or now - user.last_seen_at > USE_IS_NOTED_EVERY:
        free = select(User.id).where(User.id == user.id).with_for_update(skip_locked=True, key_share=True)
        session.execute(
            update(User).where(User.id.in_(free)).values(last_seen_at=now).execution_options(synchronize_session=False)
        )
    if token is not None and (token.last_used_at is None or now - token.last_used_at > USE_IS_NOTED_EVERY):
        free = select(Token.id).where(Token.id == token.id).with_for_update(skip_locked=True, key_share=True)
        session.execute(
            update(Token)
            .where(Token.id.in_(free))
            .values(last_used_at=now)
            .execution_options(synchronize_session=False)
        )


def slide(session: Session, signed_in: UserSession, *, hours: float) -> bool:
    """Move the end of a session in use forward, once a hundredth of its life has passed; whether it was moved."""
    now = datetime.now(UTC)
    if signed_in.expires_at - now > timedelta(hours=hours * 0.99):
        return False
    free = select(UserSession.id).where(UserSession.id == signed_in.id).with_for_update(skip_locked=True)
    moved = session.execute(
        update(UserSession)
        .where(UserSession.id.in_(free))
        .values(expires_at=now + timedelta(hours=hours))
        .execution_options(synchronize_session=False)
        .returning(UserSession.id)
    ).first()
    return moved is not None


def end(session: Session, signed_in: UserSession) -> None:
    """Sign this browser out."""
    session.execute(delete(UserSession).where(UserSession.id == signed_in.id))


def end_all(session: Session, user_id: uuid.UUID, *, but: str | None = None) -> None:
    """Sign a person out everywhere, except for the session `but`."""
    query = delete(UserSession).where(UserSession.user_id == user_id)
    session.execute(query if but is None else query.where(UserSession.id != but))


def create_token(
    session: Session,
    user: User,
    *,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime | None = None,
    within: frozenset[str] | None = None,
) -> tuple[str, Token]:
    """A new API token: the secret, which cannot be had again, and the stored token.

    `within` are the scopes of whoever asks: a token cannot hand on more than it has.
    """
    wanted = sorted(set(scopes), key=SCOPES.index) if set(scopes) <= set(SCOPES) else []
    if not wanted:
        raise Invalid("scopes must name one or more of read, annotate, admin.", "scopes")
    allowed = SCOPES_OF_ROLE[user.role]
    if within is not None and "admin" not in within:
        allowed = allowed & within
    if beyond := [scope for scope in wanted if scope not in allowed]:
        raise Forbidden(f"This account may not give a token the scope {beyond[0]}.", "scopes")
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise Invalid("expires_at lies in the past.", "expires_at")
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = Token(
        user_id=user.id,
        name=name.strip() or "token",
        prefix=secret[: len(TOKEN_PREFIX) + 4],
        secret_hash=digest(secret),
        scopes=wanted,
        expires_at=expires_at,
    )
    session.add(token)
    session.flush()
    return secret, token


def tokens_of(user: User) -> Select[Token]:
    """The API tokens of one person."""
    return select(Token).where(Token.user_id == user.id)


def delete_token(session: Session, token_id: uuid.UUID, *, owner: User) -> None:
    """End a token at once. Admins may end anybody's."""
    query = delete(Token).where(Token.id == token_id)
    if owner.role != "admin":
        query = query.where(Token.user_id == owner.id)
    if session.execute(query.returning(Token.id)).first() is None:
        raise NotFound("There is no such token.")
