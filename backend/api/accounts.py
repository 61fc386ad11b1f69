"""Sign-in, people, invitations, API tokens over HTTP. The rules are in `services.accounts` and `services.sessions`."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field, model_validator

from backend import __version__, tables
from backend.api.deps import (
    Admin,
    AdminReader,
    Caller,
    HashingSlot,
    Reader,
    SessionDep,
    SettingsDep,
    clear_cookie,
    same_origin,
    set_cookie,
)
from backend.api.wire import After, Body, IdStr, Limit, Page, Time, TimeIn, Wire, paginate
from backend.errors import Forbidden, Unauthenticated
from backend.services import accounts, passwords, sessions
from backend.services.pages import DEFAULT_LIMIT

router = APIRouter(tags=["accounts"])

Role = Literal["admin", "annotator"]
Scope = Literal["read", "annotate", "admin"]
Email = Annotated[str, Field(max_length=254)]
Name = Annotated[str, Field(min_length=1, max_length=accounts.LONGEST_NAME)]
Password = Annotated[str, Field(max_length=passwords.LONGEST)]


class User(Wire):
    """A person."""

    id: IdStr
    email: str | None
    name: str
    role: Role
    disabled: bool
    created_at: Time
    last_seen_at: Time | None

    @model_validator(mode="before")
    @classmethod
    def _of_row(cls, row: Any) -> Any:
        if not isinstance(row, tables.User):
            return row
        fields = ("id", "email", "name", "role", "created_at", "last_seen_at")
        return {name: getattr(row, name) for name in fields} | {"disabled": row.disabled_at is not None}


class Me(Wire):
    """Who you are, and what the browser has to send as X-CSRF-Token."""

    user: User
    csrf_token: str | None
    scopes: list[Scope]
    version: str


class SignIn(Body):
    """An e-mail and a password."""

    email: Email
    password: Password


class OwnChanges(Body):
    """What you change about yourself."""

    name: Name | None = None
    password: Password | None = None
    current_password: Password | None = None


class NewUser(Body):
    """A person to add."""

    email: Email
    name: Name | None = None
    role: Role
    password: Password | None = None


class UserChanges(Body):
    """What an admin changes about a person."""

    name: Name | None = None
    role: Role | None = None
    disabled: bool | None = None
    password: Password | None = None


class NewInvitation(Body):
    """A link to send to somebody."""

    role: Role
    email: Email | None = None
    days: Annotated[float, Field(gt=0, le=90)] = 7


class InvitationMade(Wire):
    """The link; it is shown once."""

    id: IdStr
    token: str
    url: str
    role: Role
    expires_at: Time


class Invitation(Wire):
    """What an invitation promises to whoever has the link."""

    role: Role
    email: str | None
    expires_at: Time


class Acceptance(Body):
    """The account that the invited person wants."""

    email: Email
    name: Name | None = None
    password: Password


class NewToken(Body):
    """An API token to make."""

    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=3)]
    expires_at: TimeIn | None = None


class TokenMade(Wire):
    """The token; it is shown once."""

    id: IdStr
    token: str


class Token(Wire):
    """An API token without its secret."""

    id: IdStr
    name: str
    scopes: list[Scope]
    created_at: Time
    expires_at: Time | None
    last_used_at: Time | None
    prefix: str


def _me(user: tables.User, scopes: frozenset[str], csrf_token: str | None) -> Me:
    return Me(
        user=User.model_validate(user),
        csrf_token=csrf_token,
        scopes=[scope for scope in sessions.SCOPES if scope in scopes],
        version=__version__,
    )


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


@router.post("/session", status_code=201, dependencies=[Depends(same_origin), HashingSlot])
def sign_in(body: SignIn, request: Request, response: Response, session: SessionDep, settings: SettingsDep) -> Me:
    """Sign in: sets the session cookie. The same answer for an unknown e-mail and a wrong password."""
    limit = request.app.state.sign_in_limit
    address = _address(request)
    limit.attempt(body.email, address)
    try:
        signed_in = accounts.sign_in(
            session,
            email=body.email,
            password=body.password,
            hours=settings.session_hours,
            user_agent=request.headers.get("user-agent"),
        )
    except Unauthenticated:
        limit.failed(body.email, address)
        raise
    limit.succeeded(body.email, address)
    return _enter(response, signed_in, settings)


def _enter(response: Response, signed_in: accounts.SignedIn, settings: SettingsDep) -> Me:
    set_cookie(response, signed_in.secret, settings)
    return _me(signed_in.user, sessions.SCOPES_OF_ROLE[signed_in.user.role], signed_in.session.csrf_token)


@router.delete("/session", status_code=204)
def sign_out(caller: Reader, response: Response, session: SessionDep, settings: SettingsDep) -> None:
    """Sign this browser out."""
    if caller.signed_in is not None:
        sessions.end(session, caller.signed_in)
    clear_cookie(response, settings)


@router.get("/me")
def get_me(caller: Reader) -> Me:
    """Who you are and what you may do."""
    return _me(caller.user, caller.scopes, caller.signed_in.csrf_token if caller.signed_in else None)


@router.patch("/me", dependencies=[HashingSlot])
def change_me(body: OwnChanges, caller: Reader, session: SessionDep) -> User:
    """Change your name or your password; a new password ends your other sessions."""
    user = accounts.change_own(
        session,
        _in_person(caller).user,
        name=body.name,
        password=body.password,
        current_password=body.current_password,
        keep_session=caller.signed_in.id if caller.signed_in else None,
    )
    return User.model_validate(user)


def _in_person(caller: Caller) -> Caller:
    """A token that may only read or judge must not make another token or change a password."""
    if caller.signed_in is None and "admin" not in caller.scopes:
        raise Forbidden("This needs a signed-in person, or an API token with the scope admin.")
    return caller


@router.post("/users", status_code=201, dependencies=[HashingSlot])
def create_user(body: NewUser, caller: Admin, session: SessionDep) -> User:
    """Add a person."""
    user = accounts.create_user(session, email=body.email, role=body.role, name=body.name, password=body.password)
    session.refresh(user)
    return User.model_validate(user)


@router.get("/users")
def list_users(
    caller: AdminReader, session: SessionDep, after: After = None, limit: Limit = DEFAULT_LIMIT
) -> Page[User]:
    """Everybody, newest first."""
    rows, cursor = paginate(session, accounts.list_users(), key=tables.User.id, after=after, limit=limit)
    return Page(items=[User.model_validate(row) for row in rows], next=cursor)


@router.patch("/users/{id}", dependencies=[HashingSlot])
def change_user(id: UUID, body: UserChanges, caller: Admin, session: SessionDep) -> User:
    """Change a person; disabling ends their sessions and tokens at once."""
    user = accounts.change_user(
        session,
        accounts.get(session, id),
        name=body.name,
        role=body.role,
        disabled=body.disabled,
        password=body.password,
        keep_session=caller.signed_in.id if caller.signed_in else None,
    )
    return User.model_validate(user)


@router.post("/invitations", status_code=201)
def create_invitation(body: NewInvitation, caller: Admin, session: SessionDep, settings: SettingsDep) -> InvitationMade:
    """Make a link with which one person makes their own account."""
    secret, invitation = accounts.invite(session, by=caller.user, role=body.role, email=body.email, days=body.days)
    return InvitationMade(
        id=str(invitation.id),
        token=secret,
        url=f"{settings.base_url}/invitations/{secret}",
        role=body.role,
        expires_at=invitation.expires_at,
    )


@router.get("/invitations/{token}")
def get_invitation(token: str, session: SessionDep) -> Invitation:
    """What the link is for; anybody who has it may ask."""
    return Invitation.model_validate(accounts.invitation(session, token))


@router.post("/invitations/{token}/accept", status_code=201, dependencies=[Depends(same_origin), HashingSlot])
def accept_invitation(
    token: str, body: Acceptance, request: Request, response: Response, session: SessionDep, settings: SettingsDep
) -> Me:
    """Make the account and sign in."""
    user = accounts.accept_invitation(session, token, email=body.email, password=body.password, name=body.name)
    secret, started = sessions.start(
        session, user, hours=settings.session_hours, user_agent=request.headers.get("user-agent")
    )
    session.refresh(user)
    return _enter(response, accounts.SignedIn(user, started, secret), settings)


@router.post("/tokens", status_code=201)
def create_token(body: NewToken, caller: Reader, session: SessionDep) -> TokenMade:
    """Make an API token of your own, with no more scopes than you have."""
    secret, token = sessions.create_token(
        session,
        _in_person(caller).user,
        name=body.name,
        scopes=body.scopes,
        expires_at=body.expires_at,
        within=caller.scopes,
    )
    return TokenMade(id=str(token.id), token=secret)


@router.get("/tokens")
def list_tokens(caller: Reader, session: SessionDep, after: After = None, limit: Limit = DEFAULT_LIMIT) -> Page[Token]:
    """Your own API tokens, newest first."""
    rows, cursor = paginate(session, sessions.tokens_of(caller.user), key=tables.Token.id, after=after, limit=limit)
    return Page(items=[Token.model_validate(row) for row in rows], next=cursor)


@router.delete("/tokens/{id}", status_code=204)
def delete_token(id: UUID, caller: Reader, session: SessionDep) -> None:
    """End an API token at once."""
    sessions.delete_token(session, id, owner=_in_person(caller).user)
