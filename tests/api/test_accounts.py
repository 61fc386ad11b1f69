"""Sign-in, people, invitations and tokens over HTTP."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import update

from backend.api.deps import COOKIE, CSRF_HEADER, set_cookie
from backend.settings import Settings
from backend.tables import UserSession
from tests.api.conftest import Doors

V1 = "/api/v1"
PASSWORD = "correct horse battery"


def sign_in(client: TestClient, email: str, password: str = PASSWORD):
    return client.post(f"{V1}/session", json={"email": email, "password": password})


def test_signing_in_and_out(doors: Doors, anonymous: TestClient):
    doors.person("annotator", email="ann@example.org", name="Ann", password=PASSWORD)
    answer = sign_in(anonymous, "ann@example.org")
    assert answer.status_code == 201
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie and "Secure" not in cookie
    me = answer.json()
    assert me["user"]["name"] == "Ann"
    assert me["scopes"] == ["read", "annotate"]
    assert "password" not in answer.text and "hash" not in answer.text
    assert anonymous.get(f"{V1}/me").json() == me

    assert anonymous.delete(f"{V1}/session").status_code == 403
    assert anonymous.delete(f"{V1}/session", headers={CSRF_HEADER: me["csrf_token"]}).status_code == 204
    assert COOKIE not in anonymous.cookies
    anonymous.cookies.set(COOKIE, cookie.split("=", 1)[1].split(";")[0])
    assert anonymous.get(f"{V1}/me").status_code == 401, "the session has ended on the server too"


def test_a_session_of_another_person_has_another_csrf_token(doors: Doors):
    ann, bob = (doors.enter(doors.person()) for _ in range(2))
    assert ann.patch(f"{V1}/me", json={"name": "Ann"}).status_code == 200
    ann.headers[CSRF_HEADER] = bob.headers[CSRF_HEADER]
    assert ann.patch(f"{V1}/me", json={"name": "Bob"}).status_code == 403


def test_sign_in_from_a_page_of_another_site_is_refused(doors: Doors, anonymous: TestClient):
    doors.person(email="ann@example.org", password=PASSWORD)
    for headers in ({"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
        anonymous.headers.update(headers)
        assert sign_in(anonymous, "ann@example.org").status_code == 403
        for name in headers:
            del anonymous.headers[name]
    anonymous.headers["origin"] = "http://testserver"
    assert sign_in(anonymous, "ann@example.org").status_code == 201


def test_cookies_are_secure_behind_https(settings: Settings):
    from fastapi import Response

    for change, secure in (
        ({}, False),
        ({"public_url": "https://podium.example"}, True),
        ({"public_url": "https://podium.example", "secure_cookies": False}, False),
        ({"secure_cookies": True}, True),
    ):
        response = Response()
        set_cookie(response, "x", settings.model_copy(update=change))
        assert ("Secure" in response.headers["set-cookie"]) is secure


def test_guessing_is_stopped_and_a_right_password_is_not_counted(doors: Doors, settings: Settings):
    doors.person(email="ann@example.org", password=PASSWORD)
    doors.person(email="bob@example.org", password=PASSWORD)
    here = doors.anonymous()
    for _ in range(settings.sign_in_attempts_per_minute + 3):
        assert sign_in(here, "ann@example.org").status_code == 201
    # Which e-mails exist must not show here either.
    for email in ("ann@example.org", "nobody@example.org"):
        statuses = [
            sign_in(here, email, "wrong password").status_code for _ in range(settings.sign_in_attempts_per_minute + 1)
        ]
        assert statuses == [401] * settings.sign_in_attempts_per_minute + [429]
    answer = sign_in(here, "Ann@Example.org")
    assert answer.status_code == 429, "other capitals are not another account"
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert "Try again" in answer.json()["detail"]
    assert sign_in(here, "bob@example.org").status_code == 201
    elsewhere = TestClient(here.app, client=("203.0.113.7", 4000))
    assert sign_in(elsewhere, "ann@example.org").status_code == 201, "a guesser does not lock its victim out"


def test_guessing_many_accounts_from_one_address_is_stopped(app: FastAPI, doors: Doors, settings: Settings):
    limit = app.state.sign_in_limit
    for number in range(settings.sign_in_attempts_per_minute * 10):
        limit.attempt(f"{number}@example.org", "203.0.113.7")
        limit.failed(f"{number}@example.org", "203.0.113.7")
    stranger = TestClient(app, client=("203.0.113.7", 4000))
    assert sign_in(stranger, "new@example.org").status_code == 429
    assert sign_in(TestClient(app, client=("203.0.113.8", 4000)), "new@example.org").status_code == 401


def test_the_cookie_slides(app: FastAPI, annotator: TestClient, settings: Settings):
    sign_in_lasts = timedelta(hours=settings.session_hours)
    with app.state.session_factory.begin() as session:
        session.execute(update(UserSession).values(expires_at=datetime.now(UTC) + sign_in_lasts))
    assert "set-cookie" not in annotator.get(f"{V1}/me").headers
    with app.state.session_factory.begin() as session:
        session.execute(update(UserSession).values(expires_at=datetime.now(UTC) + sign_in_lasts / 2))
    assert f"Max-Age={settings.session_hours * 3600}" in annotator.get(f"{V1}/me").headers["set-cookie"]
    assert "set-cookie" not in annotator.get(f"{V1}/me").headers


def test_admins_add_change_and_list_people(admin: TestClient):
    made = admin.post(f"{V1}/users", json={"email": "ann@example.org", "role": "annotator"})
    assert made.status_code == 201
    ann = made.json()
    assert ann["name"] == "ann" and ann["disabled"] is False and ann["last_seen_at"] is None
    assert ann["created_at"].endswith("Z")
    again = admin.post(f"{V1}/users", json={"email": "ANN@example.org", "role": "admin"})
    assert (again.status_code, again.json()["field"]) == (409, "email")
    changed = admin.patch(f"{V1}/users/{ann['id']}", json={"name": "Ann", "role": "admin"})
    assert changed.json()["name"] == "Ann" and changed.json()["role"] == "admin"

    for number in range(5):
        admin.post(f"{V1}/users", json={"email": f"{number}@example.org", "role": "annotator"})
    seen, cursor = [], None
    while True:
        page = admin.get(f"{V1}/users", params={"limit": 3} | ({"after": cursor} if cursor else {})).json()
        seen += [user["email"] for user in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 7
    assert seen[:5] == ["4@example.org", "3@example.org", "2@example.org", "1@example.org", "0@example.org"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"role": "annotator"}, "email"),
        ({"email": "ann@example.org"}, "role"),
        ({"email": "ann@example.org", "role": "owner"}, "role"),
        ({"email": "ann", "role": "annotator"}, "email"),
        ({"email": "ann@example.org", "role": "annotator", "password": "short"}, "password"),
        ({"email": "ann@example.org", "role": "annotator", "id": "1"}, "id"),
        ({"email": "ann@example.org", "role": "annotator", "password_hash": "x"}, "password_hash"),
        ({"email": "ann@example.org", "role": "annotator", "name": "A\0"}, "name"),
        ({"email": 7, "role": "annotator"}, "email"),
    ],
)
def test_what_is_wrong_with_a_new_person_is_said(still_admin: TestClient, body: dict[str, str], field: str):
    answer = still_admin.post(f"{V1}/users", json=body)
    assert answer.status_code == 422
    assert answer.json()["field"] == field
    assert answer.json()["detail"].endswith(".")


def test_disabling_ends_everything_at_once(doors: Doors, admin: TestClient):
    ann = doors.person(email="ann@example.org", password=PASSWORD)
    browser, program = doors.enter(ann), doors.call(ann, "read", "annotate")
    assert browser.get(f"{V1}/me").status_code == program.get(f"{V1}/me").status_code == 200
    assert admin.patch(f"{V1}/users/{ann.id}", json={"disabled": True}).json()["disabled"] is True
    assert browser.get(f"{V1}/me").status_code == program.get(f"{V1}/me").status_code == 401
    assert sign_in(doors.anonymous(), "ann@example.org").status_code == 401
    admin.patch(f"{V1}/users/{ann.id}", json={"disabled": False})
    assert browser.get(f"{V1}/me").status_code == program.get(f"{V1}/me").status_code == 401
    assert sign_in(doors.anonymous(), "ann@example.org").status_code == 201


def test_demotion_takes_the_admin_scope_from_tokens(doors: Doors, admin: TestClient):
    boss = doors.person("admin", password=PASSWORD)
    doors.person("admin", password=PASSWORD)
    program = doors.call(boss, "read", "admin")
    assert program.get(f"{V1}/users").status_code == 200
    assert admin.patch(f"{V1}/users/{boss.id}", json={"role": "annotator"}).status_code == 200
    assert program.get(f"{V1}/users").status_code == 403
    assert program.get(f"{V1}/me").json()["scopes"] == ["read"]


def test_the_last_admin_cannot_lock_everybody_out(doors: Doors):
    boss = doors.person("admin", password=PASSWORD)
    browser = doors.enter(boss)
    for change in ({"disabled": True}, {"role": "annotator"}):
        answer = browser.patch(f"{V1}/users/{boss.id}", json=change)
        assert answer.status_code == 409 and "last admin" in answer.json()["detail"]
    assert browser.get(f"{V1}/me").json()["user"]["role"] == "admin"


def test_people_change_their_own_password(doors: Doors):
    ann = doors.person(email="ann@example.org", password=PASSWORD)
    here, there = doors.enter(ann), doors.enter(ann)
    answer = here.patch(f"{V1}/me", json={"password": "another long one", "current_password": "guess"})
    assert (answer.status_code, answer.json()["field"]) == (422, "current_password")
    answer = here.patch(f"{V1}/me", json={"password": "another long one", "current_password": PASSWORD})
    assert answer.status_code == 200
    assert here.get(f"{V1}/me").status_code == 200
    assert there.get(f"{V1}/me").status_code == 401
    assert sign_in(doors.anonymous(), "ann@example.org").status_code == 401
    assert sign_in(doors.anonymous(), "ann@example.org", "another long one").status_code == 201
    assert here.patch(f"{V1}/me", json={"role": "admin"}).status_code == 422


def test_an_invited_person_makes_their_account(admin: TestClient, anonymous: TestClient, settings: Settings):
    made = admin.post(f"{V1}/invitations", json={"role": "annotator", "email": "ann@example.org", "days": 2}).json()
    assert made["url"] == f"{settings.base_url}/invitations/{made['token']}"
    shown = anonymous.get(f"{V1}/invitations/{made['token']}").json()
    assert shown == {"role": "annotator", "email": "ann@example.org", "expires_at": made["expires_at"]}
    accept = f"{V1}/invitations/{made['token']}/accept"
    assert anonymous.post(accept, json={"email": "bob@example.org", "password": PASSWORD}).json()["field"] == "email"
    assert anonymous.post(accept, json={"email": "ann@example.org", "password": "short"}).json()["field"] == "password"
    answer = anonymous.post(accept, json={"email": "ann@example.org", "password": PASSWORD, "name": "Ann"})
    assert answer.status_code == 201
    assert anonymous.get(f"{V1}/me").json()["user"]["name"] == "Ann"
    assert anonymous.get(f"{V1}/invitations/{made['token']}").status_code == 410
    assert anonymous.get(f"{V1}/invitations/{made['token'][:-1]}").status_code == 404


def test_a_token_is_shown_once(doors: Doors, annotator: TestClient):
    made = annotator.post(f"{V1}/tokens", json={"name": "script", "scopes": ["annotate"]})
    assert made.status_code == 201
    secret = made.json()["token"]
    listed = annotator.get(f"{V1}/tokens")
    assert secret not in listed.text
    (token,) = listed.json()["items"]
    assert token["name"] == "script" and token["last_used_at"] is None and secret.startswith(token["prefix"])
    program = doors.anonymous()
    program.headers["Authorization"] = f"Bearer {secret}"
    assert program.get(f"{V1}/me").json()["csrf_token"] is None
    assert annotator.get(f"{V1}/tokens").json()["items"][0]["last_used_at"] is not None
    stranger = doors.enter(doors.person())
    assert stranger.delete(f"{V1}/tokens/{token['id']}").status_code == 404
    assert annotator.delete(f"{V1}/tokens/{token['id']}").status_code == 204
    assert program.get(f"{V1}/me").status_code == 401


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"name": "t", "scopes": ["admin"]}, 403, "scopes"),
        ({"name": "t", "scopes": []}, 422, "scopes"),
        ({"name": "t", "scopes": ["root"]}, 422, "scopes.0"),
        ({"name": "t", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"}, 422, "expires_at"),
        ({"name": "t", "scopes": ["read"], "expires_at": "2099-01-01T00:00:00"}, 422, "expires_at"),
        ({"name": "t", "scopes": ["read"], "expires_at": 4070908800}, 422, "expires_at"),
    ],
)
def test_tokens_that_cannot_be_made(still_annotator: TestClient, body: dict[str, object], status: int, field: str):
    answer = still_annotator.post(f"{V1}/tokens", json=body)
    assert (answer.status_code, answer.json()["field"]) == (status, field)


def test_a_token_with_an_end(doors: Doors, annotator: TestClient):
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    secret = annotator.post(f"{V1}/tokens", json={"name": "t", "scopes": ["read"], "expires_at": soon}).json()["token"]
    program = doors.anonymous()
    program.headers["Authorization"] = f"Bearer {secret}"
    assert program.get(f"{V1}/me").status_code == 200
    time.sleep(1.1)
    assert program.get(f"{V1}/me").status_code == 401


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer podium_nothing", "Bearer é"])
def test_headers_that_are_no_token(still_annotator: TestClient, header: str):
    answer = still_annotator.get(f"{V1}/me", headers=[(b"authorization", header.encode())])
    assert answer.status_code == 401, "a cookie does not help a wrong token"
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_crowd_signing_in_at_once_gets_in(app: FastAPI, doors: Doors):
    from concurrent.futures import ThreadPoolExecutor

    people = [doors.person(email=f"{n}@example.org", password=PASSWORD).email for n in range(12)]
    # One server, many browsers: the client that runs the application's loop is shared.
    with TestClient(app) as client, ThreadPoolExecutor(12) as pool:

        def enter(email: str | None) -> int:
            return client.post(f"{V1}/session", json={"email": email, "password": PASSWORD}).status_code

        assert list(pool.map(enter, people)) == [201] * len(people)
