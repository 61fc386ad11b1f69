"""People: who exists, who may sign in, invitations. Knows no HTTP; proofs of identity are in `sessions`."""

import re
import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backend.errors import Conflict, Gone, Invalid, NotFound, Unauthenticated
from backend.services import passwords, sessions
from backend.tables import Invitation, Token, User, UserSession

ROLES = ("admin", "annotator")
EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")
LONGEST_NAME = 200


@dataclass(frozen=True)
class SignedIn:
    """Somebody who just proved who they are: the person, the session, and the secret that goes into the cookie."""

    user: User
    session: UserSession
    secret: str


def sign_in(session: Session, *, email: str, password: str, hours: float, user_agent: str | None = None) -> SignedIn:
    """Start a session. An unknown e-mail, a disabled person and a wrong password look and take the same."""
    user = by_email(session, email)
    right, renewed = passwords.verify(password, user.password_hash if user is not None else None)
    if user is None or not right or user.disabled_at is not None:
        raise Unauthenticated("The e-mail or the password is wrong.")
    if renewed is not None:
        user.password_hash = renewed
    secret, started = sessions.start(session, user, hours=hours, user_agent=user_agent)
    return SignedIn(user, started, secret)


def by_email(session: Session, email: str) -> User | None:
    """The person with this e-mail, however it is capitalised."""
    return session.scalars(select(User).where(func.lower(User.email) == func.lower(email.strip()))).first()


def get(session: Session, user_id: uuid.UUID) -> User:
    """A person, or NotFound."""
    user = session.get(User, user_id)
    if user is None:
        raise NotFound("There is no such person.")
    return user


def list_users() -> Select[User]:
    """Everybody, for a page."""
    return select(User)


def create_user(
    session: Session, *, email: str, role: str, name: str | None = None, password: str | None = None
) -> User:
    """Add a person. Without a password they cannot sign in until they are given one."""
    email = _checked_email(email)
    if password is not None:
        passwords.check_rules(password)
    user = User(
        email=email,
        name=_checked_name(name) if name is not None else email.partition("@")[0],
        role=_checked_role(role),
        password_hash=passwords.hash_password(password) if password is not None else None,
    )
    try:
        # Two requests may add the same e-mail at once; the index decides, the savepoint keeps the transaction usable.
        with session.begin_nested():
            session.add(user)
    except IntegrityError as error:
        raise Conflict("Somebody with this e-mail exists already.", "email") from error
    return user


def change_user(
    session: Session,
    user: User,
    *,
    name: str | None = None,
    role: str | None = None,
    disabled: bool | None = None,
    password: str | None = None,
    keep_session: str | None = None,
) -> User:
    """Change what is given. A new password signs the person out everywhere (except `keep_session`)."""
    if name is not None:
        user.name = _checked_name(name)
    loses_admin = (role is not None and role != "admin") or disabled is True
    if loses_admin and user.role == "admin" and user.disabled_at is None:
        _keep_an_admin(session, user)
    if role is not None:
        user.role = _checked_role(role)
    if password is not None:
        set_password(session, user, password, keep_session=keep_session)
    if disabled is True:
        disable(session, user)
    elif disabled is False:
        user.disabled_at = None
    session.flush()
    return user


def disable(session: Session, user: User) -> None:
    """End everything this person could use, at once. What they judged stays."""
    if user.role == "admin" and user.disabled_at is None:
        _keep_an_admin(session, user)
    user.disabled_at = user.disabled_at or datetime.now(UTC)
    sessions.end_all(session, user.id)
    session.execute(delete(Token).where(Token.user_id == user.id))
    session.flush()


def set_password(session: Session, user: User, password: str, *, keep_session: str | None = None) -> None:
    """A new password; whoever signed in with the old one is signed out."""
    if user.email is None:
        raise Invalid("This person came with imported judgments, has no e-mail and cannot sign in.", "password")
    passwords.check_rules(password)
    user.password_hash = passwords.hash_password(password)
    sessions.end_all(session, user.id, but=keep_session)
    session.flush()


def change_own(
    session: Session,
    user: User,
    *,
    name: str | None = None,
    password: str | None = None,
    current_password: str | None = None,
    keep_session: str | None = None,
) -> User:
    """What people change about themselves; a new password asks for the current one."""
    if password is not None:
        right, _ = passwords.verify(current_password or "", user.password_hash)
        if not right:
            raise Invalid("The current password is wrong.", "current_password")
    return change_user(session, user, name=name, password=password, keep_session=keep_session)


def _keep_an_admin(session: Session, leaving: User) -> None:
    """Refuse to lose the last admin who can sign in; two admins who remove each other at once wait here."""
    admins = select(User.id).where(User.role == "admin", User.disabled_at.is_(None), User.password_hash.is_not(None))
    # Everybody is locked in the same order, and read again after the lock.
    remaining = session.scalars(admins.order_by(User.id).with_for_update(key_share=True)).all()
    if not any(other != leaving.id for other in remaining):
        raise Conflict("This is the last admin who can sign in. Make somebody else an admin first.")


def invite(
    session: Session, *, by: User, role: str, email: str | None = None, days: float = 7
) -> tuple[str, Invitation]:
    """A link that makes one account: its secret, which cannot be had again, and the stored invitation."""
    if not 0 < days <= 90:
        raise Invalid("days must be more than 0 and at most 90.", "days")
    if email is not None:
        email = _checked_email(email)
        if by_email(session, email) is not None:
            raise Conflict("Somebody with this e-mail exists already.", "email")
    secret = secrets.token_urlsafe(32)
    invitation = Invitation(
        secret_hash=sessions.digest(secret),
        role=_checked_role(role),
        email=email,
        created_by=by.id,
        expires_at=datetime.now(UTC) + timedelta(days=days),
    )
    session.add(invitation)
    session.flush()
    return secret, invitation


def invitation(session: Session, secret: str) -> Invitation:
    """An invitation that can still be accepted."""
    found = session.scalars(select(Invitation).where(Invitation.secret_hash == sessions.digest(secret))).first()
    if found is None:
        raise NotFound("There is no such invitation. Check that the link is complete.")
    if found.accepted_at is not None:
        raise Gone("This invitation has been used already.")
    if found.expires_at <= datetime.now(UTC):
        raise Gone("This invitation has expired. Ask for a new one.")
    inviter = session.get(User, found.created_by)
    if inviter is None or inviter.disabled_at is not None or inviter.role != "admin":
        raise Gone("Whoever sent this invitation may not invite any more. Ask for a new one.")
    return found


def accept_invitation(session: Session, secret: str, *, email: str, password: str, name: str | None = None) -> User:
    """Make the account that the invitation promises; only one of two people who try at once gets it."""
    found = invitation(session, secret)
    if found.email is not None and found.email.lower() != email.strip().lower():
        raise Invalid("This invitation is for another e-mail.", "email")
    taken = session.execute(
        update(Invitation)
        .where(Invitation.id == found.id, Invitation.accepted_at.is_(None))
        .values(accepted_at=datetime.now(UTC))
        .execution_options(synchronize_session=False)
        .returning(Invitation.id)
    ).first()
    if taken is None:
        raise Gone("This invitation has been used already.")
    user = create_user(session, email=email, role=found.role, name=name, password=password)
    session.execute(update(Invitation).where(Invitation.id == found.id).values(accepted_by=user.id))
    return user


def _checked_email(email: str) -> str:
    email = email.strip()
    if not EMAIL.fullmatch(email):
        raise Invalid("email must look like somebody@example.org.", "email")
    return email


def _checked_name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= LONGEST_NAME:
        raise Invalid(f"name needs 1 to {LONGEST_NAME} characters.", "name")
    return name


def _checked_role(role: str) -> str:
    if role not in ROLES:
        raise Invalid("role must be admin or annotator.", "role")
    return role
