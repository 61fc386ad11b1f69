"""Rules of people, passwords, tokens and invitations, on a real database."""

import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from backend.database import make_engine, make_session_factory
from backend.errors import Conflict, Forbidden, Gone, Invalid, NotFound, Unauthenticated
from backend.services import accounts, passwords, sessions
from backend.tables import Invitation, Token, User, UserSession

PASSWORD = "correct horse battery"


def person(session: Session, role: str = "annotator", email: str = "ann@example.org", **more: str) -> User:
    return accounts.create_user(session, email=email, role=role, **more)


def admin(session: Session, email: str = "root@example.org") -> User:
    return person(session, "admin", email, password=PASSWORD)


def test_passwords_are_argon2id_at_the_recommended_floor():
    stored = passwords.hash_password(PASSWORD)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert PASSWORD not in stored
    assert passwords.verify(PASSWORD, stored) == (True, None)
    assert passwords.verify(PASSWORD + " ", stored) == (False, None)
    assert passwords.hash_password(PASSWORD) != stored


def test_a_hash_of_older_settings_is_renewed(session: Session):
    from pwdlib.hashers.argon2 import Argon2Hasher

    user = person(session)
    old = Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    user.password_hash = old
    accounts.sign_in(session, email="ann@example.org", password=PASSWORD, hours=1)
    assert user.password_hash is not None and "m=19456,t=2,p=1" in user.password_hash
    accounts.sign_in(session, email="ann@example.org", password=PASSWORD, hours=1)


@pytest.mark.parametrize("bad", ["", "short", "123456789", "aaaaaaaaaaaa", "x" * 513])
def test_passwords_that_nobody_should_choose(session: Session, bad: str):
    with pytest.raises(Invalid) as caught:
        person(session, password=bad)
    assert caught.value.field == "password"


def test_sign_in_says_the_same_to_everybody_who_may_not(session: Session):
    admin(session)
    person(session, email="new@example.org")
    gone = person(session, email="gone@example.org", password=PASSWORD)
    accounts.disable(session, gone)
    messages = set()
    for email, password in [
        ("nobody@example.org", PASSWORD),
        ("root@example.org", "wrong password"),
        ("new@example.org", ""),
        ("gone@example.org", PASSWORD),
    ]:
        with pytest.raises(Unauthenticated) as caught:
            accounts.sign_in(session, email=email, password=password, hours=1)
        messages.add((caught.value.message, caught.value.field))
    assert len(messages) == 1
    assert session.scalar(select(func.count()).select_from(UserSession)) == 0


def test_an_unknown_email_costs_as_much_as_a_wrong_password(session: Session):
    admin(session)

    def cost(email: str) -> float:
        began = time.thread_time()
        with pytest.raises(Unauthenticated):
            accounts.sign_in(session, email=email, password="wrong password", hours=1)
        return time.thread_time() - began

    rounds = [(cost("root@example.org"), cost("nobody@example.org")) for _ in range(7)]
    known, unknown = (statistics.median(times) for times in zip(*rounds, strict=True))
    # Without the pretended verification it would be a tenth.
    assert 0.6 < unknown / known < 1.6


def test_emails_are_one_person_however_written(session: Session):
    made = person(session, email="  Ann@Example.org ", password=PASSWORD)
    assert (made.email, made.name) == ("Ann@Example.org", "Ann")
    with pytest.raises(Conflict):
        person(session, email="ann@example.ORG")
    signed_in = accounts.sign_in(session, email="ANN@example.org", password=PASSWORD, hours=1)
    assert signed_in.user.id == made.id
    with pytest.raises(Invalid):
        person(session, email="not an e-mail")


def test_secrets_are_stored_as_hashes_only(session: Session):
    user = admin(session)
    signed_in = accounts.sign_in(session, email="root@example.org", password=PASSWORD, hours=1)
    token, _ = sessions.create_token(session, user, name="t", scopes=["read"])
    invitation, _ = accounts.invite(session, by=user, role="annotator")
    stored = [
        *session.execute(select(UserSession.__table__)),
        *session.execute(select(Token.__table__)),
        *session.execute(select(Invitation.__table__)),
        *session.execute(select(User.__table__)),
    ]
    text = repr([tuple(row) for row in stored])
    for secret in (signed_in.secret, token, invitation, PASSWORD):
        assert secret not in text


def test_a_session_ends_slides_and_dies_with_the_person(session: Session):
    user = admin(session)
    admin(session, "other@example.org")
    secret, started = sessions.start(session, user, hours=2)
    found = sessions.by_cookie(session, secret)
    assert found is not None and found[0].id == user.id
    assert sessions.by_cookie(session, secret + "x") is None

    assert not sessions.slide(session, started, hours=2), "a fresh session need not move"
    started.expires_at = datetime.now(UTC) + timedelta(minutes=30)
    session.flush()
    assert sessions.slide(session, started, hours=2)
    session.refresh(started)
    assert started.expires_at > datetime.now(UTC) + timedelta(minutes=119)

    started.expires_at = datetime.now(UTC) - timedelta(seconds=1)
    session.flush()
    assert sessions.by_cookie(session, secret) is None

    secret, _ = sessions.start(session, user, hours=2)
    token, _ = sessions.create_token(session, user, name="t", scopes=["read"])
    assert sessions.by_cookie(session, secret) is not None
    assert sessions.by_token(session, token) is not None
    accounts.disable(session, user)
    assert sessions.by_cookie(session, secret) is None
    assert sessions.by_token(session, token) is None
    accounts.change_user(session, user, disabled=False)
    assert sessions.by_cookie(session, secret) is None, "what ended stays ended"
    assert sessions.by_token(session, token) is None


def test_a_new_password_signs_out_everywhere_else(session: Session):
    user = admin(session)
    here, here_row = sessions.start(session, user, hours=1)
    there, _ = sessions.start(session, user, hours=1)
    with pytest.raises(Invalid) as caught:
        accounts.change_own(session, user, password="another long one", current_password="guess")
    assert caught.value.field == "current_password"
    accounts.change_own(session, user, password="another long one", current_password=PASSWORD, keep_session=here_row.id)
    assert sessions.by_cookie(session, here) is not None
    assert sessions.by_cookie(session, there) is None


def test_imported_people_get_no_password(session: Session):
    imported = User(external_id="annotator 7", name="Annotator 7", role="annotator")
    session.add(imported)
    session.flush()
    with pytest.raises(Invalid):
        accounts.set_password(session, imported, PASSWORD)


def test_tokens_carry_no_more_than_their_owner(session: Session):
    ann, root = person(session), admin(session)
    with pytest.raises(Forbidden):
        sessions.create_token(session, ann, name="t", scopes=["read", "admin"])
    with pytest.raises(Forbidden):
        sessions.create_token(session, root, name="t", scopes=["admin"], within=frozenset({"read"}))
    sessions.create_token(session, root, name="t", scopes=["read"], within=frozenset({"admin"}))
    with pytest.raises(Invalid):
        sessions.create_token(session, root, name="t", scopes=[])
    with pytest.raises(Invalid):
        sessions.create_token(session, root, name="t", scopes=["root"])
    with pytest.raises(Invalid):
        sessions.create_token(session, root, name="t", scopes=["read"], expires_at=datetime.now(UTC))
    secret, token = sessions.create_token(session, root, name="t", scopes=["admin", "read", "admin"])
    assert token.scopes == ["read", "admin"]
    assert secret.startswith(token.prefix) and len(token.prefix) < 16


def test_tokens_expire_and_belong_to_somebody(session: Session):
    ann, bob = person(session), person(session, email="bob@example.org")
    soon = datetime.now(UTC) + timedelta(hours=1)
    secret, token = sessions.create_token(session, ann, name="t", scopes=["read"], expires_at=soon)
    assert sessions.by_token(session, secret) is not None
    with pytest.raises(NotFound):
        sessions.delete_token(session, token.id, owner=bob)
    token.expires_at = datetime.now(UTC) - timedelta(seconds=1)
    session.flush()
    assert sessions.by_token(session, secret) is None
    sessions.delete_token(session, token.id, owner=ann)
    with pytest.raises(NotFound):
        sessions.delete_token(session, token.id, owner=ann)


def test_use_is_written_down_once_a_minute(session: Session):
    user = person(session)
    _, token = sessions.create_token(session, user, name="t", scopes=["read"])
    sessions.note_use(session, user, token)
    session.refresh(token)
    session.refresh(user)
    first = token.last_used_at
    assert first is not None and user.last_seen_at is not None
    sessions.note_use(session, user, token)
    session.refresh(token)
    assert token.last_used_at == first
    session.execute(update(Token).values(last_used_at=first - timedelta(seconds=61)))
    session.refresh(token)
    sessions.note_use(session, user, token)
    session.refresh(token)
    assert token.last_used_at is not None and token.last_used_at > first - timedelta(seconds=60)


def test_the_last_admin_stays(session: Session):
    root = admin(session)
    person(session, "admin", "nopassword@example.org")
    for change in ({"role": "annotator"}, {"disabled": True}):
        with pytest.raises(Conflict):
            accounts.change_user(session, root, **change)
    with pytest.raises(Conflict):
        accounts.disable(session, root)
    other = admin(session, "other@example.org")
    accounts.change_user(session, root, role="annotator")
    with pytest.raises(Conflict):
        accounts.change_user(session, other, disabled=True)


def test_two_admins_who_remove_each_other_at_once_leave_one(database_url: str):
    engine = make_engine(database_url)
    factory = make_session_factory(engine)
    try:
        for _ in range(5):
            with factory.begin() as session:
                pair = [admin(session, f"{n}@example.org").id for n in range(2)]
            ready = threading.Barrier(2)

            def remove(user_id, ready=ready):
                with factory.begin() as session:
                    user = session.get_one(User, user_id)
                    ready.wait()
                    try:
                        accounts.change_user(session, user, role="annotator")
                    except Conflict:
                        session.rollback()
                        return 0
                    return 1

            with ThreadPoolExecutor(2) as pool:
                assert sum(pool.map(remove, pair)) == 1
            with factory.begin() as session:
                assert session.scalar(select(func.count()).where(User.role == "admin")) == 1
                session.execute(update(User).values(role="annotator", email=func.concat(User.id, "@example.org")))
    finally:
        engine.dispose()


def test_an_invitation_is_for_whom_it_says(session: Session):
    root = admin(session)
    secret, invitation = accounts.invite(session, by=root, role="annotator", email="new@example.org", days=1)
    with pytest.raises(NotFound):
        accounts.invitation(session, secret[:-1])
    with pytest.raises(Invalid):
        accounts.accept_invitation(session, secret, email="else@example.org", password=PASSWORD)
    with pytest.raises(Invalid):
        accounts.accept_invitation(session, secret, email="new@example.org", password="short")
    assert invitation.accepted_by is None


def test_an_accepted_invitation_is_over(session: Session):
    root = admin(session)
    secret, invitation = accounts.invite(session, by=root, role="annotator")
    user = accounts.accept_invitation(session, secret, email="new@example.org", password=PASSWORD, name="Nele")
    assert (user.role, user.name) == ("annotator", "Nele")
    session.refresh(invitation)
    assert invitation.accepted_by == user.id
    with pytest.raises(Gone):
        accounts.accept_invitation(session, secret, email="two@example.org", password=PASSWORD)


def test_invitations_expire_and_end_with_their_admin(session: Session):
    root = admin(session)
    other = admin(session, "other@example.org")
    secret, invitation = accounts.invite(session, by=other, role="admin")
    accounts.invitation(session, secret)
    accounts.change_user(session, other, role="annotator")
    with pytest.raises(Gone):
        accounts.invitation(session, secret)
    secret, invitation = accounts.invite(session, by=root, role="admin")
    invitation.expires_at = datetime.now(UTC) - timedelta(seconds=1)
    session.flush()
    with pytest.raises(Gone):
        accounts.accept_invitation(session, secret, email="new@example.org", password=PASSWORD)


def test_one_invitation_accepted_twice_at_once_is_one_account(database_url: str):
    engine: Engine = make_engine(database_url)
    factory = make_session_factory(engine)
    try:
        with factory.begin() as session:
            secret, _ = accounts.invite(session, by=admin(session), role="annotator")
        ready = threading.Barrier(4)

        def accept(number: int) -> int:
            with factory() as session:
                ready.wait()
                try:
                    accounts.accept_invitation(session, secret, email=f"n{number}@example.org", password=PASSWORD)
                    session.commit()
                except Gone:
                    return 0
                return 1

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(accept, range(4))) == 1
        with factory() as session:
            assert session.scalar(select(func.count()).where(User.role == "annotator")) == 1
    finally:
        engine.dispose()
