"""The edge of the application: errors, headers, limits, the pages, health, and what is written to the log."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from backend.api.deps import SessionDep
from backend.app import STATUS, create_app
from backend.errors import Conflict, PodiumError, TooMany
from backend.settings import REPOSITORY, Settings
from tests.api.conftest import Doors

V1 = "/api/v1"
HASHED = "assets/index-B1x3.js"


@pytest.fixture
def broken(app: FastAPI) -> FastAPI:
    """The application with routes that go wrong in every way."""

    def conflict(session: SessionDep) -> None:
        session.execute(text("UPDATE users SET name = 'changed'"))
        raise Conflict("It is taken.", "name")

    def crash() -> None:
        raise RuntimeError("the password is hunter2")

    def late(session: SessionDep) -> dict[str, bool]:
        session.execute(text("CREATE TEMP TABLE t (a int UNIQUE DEFERRABLE INITIALLY DEFERRED) ON COMMIT DROP"))
        session.execute(text("INSERT INTO t VALUES (1), (1)"))
        return {"saved": True}

    def down() -> None:
        raise OperationalError("SELECT secret", None, Exception("connection to 10.0.0.7 refused"))

    def large(session: SessionDep) -> None:
        session.execute(text("SELECT CAST(:n AS integer)"), {"n": 2**40})

    def busy() -> None:
        raise TooMany("Later.", retry_after_s=7)

    for name, route in (
        ("conflict", conflict),
        ("crash", crash),
        ("late", late),
        ("down", down),
        ("large", large),
        ("busy", busy),
    ):
        app.add_api_route(f"{V1}/broken/{name}", route)
    return app


@pytest.mark.parametrize(
    ("name", "status", "detail"),
    [
        ("conflict", 409, "It is taken."),
        ("busy", 429, "Later."),
        ("down", 503, "The database is busy or out of reach. Try again."),
        ("large", 422, "A value is too large, or holds a character that cannot be stored."),
        ("late", 409, "Somebody changed the same thing at the same time. Load it again."),
    ],
)
def test_errors_are_problem_json_without_internals(broken: FastAPI, name: str, status: int, detail: str):
    answer = TestClient(broken).get(f"{V1}/broken/{name}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["detail"]) == (status, detail)
    assert problem["title"]
    for internal in ("SELECT", "10.0.0.7", "psycopg", "Traceback", "hunter2"):
        assert internal not in answer.text
    assert ("retry-after" in answer.headers) is (status in (429, 503))


def test_an_error_undoes_what_the_request_did(broken: FastAPI, doors: Doors):
    ann = doors.person(name="Ann")
    assert TestClient(broken).get(f"{V1}/broken/conflict").json()["field"] == "name"
    with broken.state.session_factory() as session:
        assert session.scalar(text("SELECT name FROM users WHERE id = :id"), {"id": ann.id}) == "Ann"


def test_saved_is_not_said_before_it_is(broken: FastAPI):
    """The constraint is checked by the commit; a commit after the answer would have said 200."""
    answer = TestClient(broken).get(f"{V1}/broken/late")
    assert answer.status_code == 409
    assert "saved" not in answer.text


def test_a_crash_says_nothing_but_where_to_look(broken: FastAPI):
    with capture_logs() as logs:
        answer = TestClient(broken).get(f"{V1}/broken/crash")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "hunter2" not in answer.text and "RuntimeError" not in answer.text
    assert answer.headers["x-request-id"] == answer.json()["request"]
    crash = next(entry for entry in logs if entry["event"] == "crash")
    assert crash["request"] == answer.json()["request"] and crash["exc_info"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_every_error_has_a_status():
    def kinds(kind: type[PodiumError]) -> Iterator[type[PodiumError]]:
        for child in kind.__subclasses__():
            yield child
            yield from kinds(child)

    assert all(any(parent in STATUS for parent in kind.__mro__) for kind in kinds(PodiumError))


@pytest.mark.parametrize(
    ("content", "field", "detail"),
    [
        (b"", None, "The body is required."),
        (b"{", None, "The body is not JSON: Expecting property name enclosed in double quotes."),
        (b"[]", None, "The body must be a JSON object."),
        (b"\xff\xfe", None, None),
        (b'{"email": "a@b.org"}', "password", "password is required."),
        (b'{"email": "a@b.org", "password": 1}', "password", "password must be a valid string."),
        (b'{"email": "a@b.org", "password": "x", "role": "admin"}', "role", "role is not a known field."),
        (b'{"email": "a\\u0000@b.org", "password": "x"}', "email", None),
        (b'{"email": "\\ud800@b.org", "password": "x"}', "email", None),
        (b'{"email": "a@b.org", "password": ' + b"[" * 5000 + b"]" * 5000 + b"}", None, "The body cannot be read."),
    ],
)
def test_bodies_that_cannot_be_understood(still: Doors, content: bytes, field: str | None, detail: str | None):
    answer = still.anonymous().post(f"{V1}/session", content=content, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem.get("field") == field
    if detail is not None:
        assert problem["detail"] == detail


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "after=!", "after=" + "x" * 101, "after=LTE"])
def test_pages_have_limits(still_admin: TestClient, query: str):
    answer = still_admin.get(f"{V1}/users?{query}")
    assert answer.status_code == 422
    assert answer.json()["field"] == query.split("=")[0]


def test_unknown_addresses_and_methods(still: Doors):
    anonymous = still.anonymous()
    for path in ("/api", "/api/v1", "/api/v1/nothing", "/api/v2/users", "/hub/nothing", "/metrics/x"):
        answer = anonymous.get(path)
        assert answer.status_code == 404, path
        assert answer.headers["content-type"] == "application/problem+json"
    answer = anonymous.put(f"{V1}/session")
    assert answer.status_code == 405
    assert answer.json()["detail"] == "PUT is not possible at this address."
    assert anonymous.post("/").status_code == 405


def test_bodies_have_a_limit(app: FastAPI, settings: Settings, database_url: str):
    small = create_app(settings.model_copy(update={"import_bytes": 2 * 2**20}), app.state.session_factory)
    client = TestClient(small)
    json_headers = {"content-type": "application/json"}
    declared = client.post(f"{V1}/session", content=b" " * (1024 * 1024 + 1), headers=json_headers)

    def chunks() -> Iterator[bytes]:
        for _ in range(17):
            yield b" " * 65536

    streamed = client.post(f"{V1}/session", content=chunks(), headers=json_headers)
    for answer in (declared, streamed):
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"
        assert "1024 KiB" in answer.json()["detail"]
    fits = client.post(f"{V1}/session", content=b" " * (1024 * 1024), headers=json_headers)
    assert fits.status_code == 422


def test_headers_that_protect(still: Doors):
    anonymous = still.anonymous()
    for path in ("/", f"{V1}/me", f"/{HASHED}", "/healthz"):
        headers = anonymous.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert "server" not in headers
    policy = anonymous.get("/").headers["content-security-policy"]
    assert "script-src 'self'" in policy and "default-src 'none'" in policy and "*" not in policy
    assert anonymous.get(f"{V1}/me").headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in anonymous.get("/").headers


def test_https_is_remembered(app: FastAPI, settings: Settings):
    secure = create_app(settings.model_copy(update={"public_url": "https://p.example"}), app.state.session_factory)
    assert TestClient(secure).get("/healthz").headers["strict-transport-security"].startswith("max-age=")


def test_the_pages(still: Doors):
    anonymous = still.anonymous()
    for path in ("/", "/projects/demo/rank", "/invitations/abc", "/index.html"):
        answer = anonymous.get(path)
        assert answer.status_code == 200 and "<!doctype html>" in answer.text, path
        assert answer.headers["cache-control"] == "no-cache"
    script = anonymous.get(f"/{HASHED}", headers={"accept-encoding": "gzip"})
    assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert script.headers["content-encoding"] == "gzip"
    assert "javascript" in script.headers["content-type"]
    assert anonymous.get("/favicon.svg").headers["cache-control"] == "no-cache"
    assert anonymous.head("/").status_code == 200
    fresh = anonymous.get("/", headers={"if-none-match": anonymous.get("/").headers["etag"]})
    assert fresh.status_code == 304
    assert "content-security-policy" not in fresh.headers  # a browser would put it in place of the cached page's own
    for missing in ("/assets/gone.js", "/assets/", "/favicon.ico", "/robots.txt"):
        assert anonymous.get(missing).status_code == 404, missing


def test_code_is_sent_as_the_build_compressed_it_to_those_who_take_that(still: Doors):
    anonymous = still.anonymous()
    for accepted, encoding, code in (
        ("br, gzip", "gzip", "export default 2; // compressed once"),
        ("gzip;q=0, br", None, "export default 2;"),
        ("identity", None, "export default 2;"),
    ):
        answer = anonymous.get("/assets/page-C7y2.js", headers={"accept-encoding": accepted})
        assert (answer.headers.get("content-encoding"), answer.text) == (encoding, code)
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    answer = anonymous.get("/assets/page-C7y2.js", headers={"accept-encoding": "gzip"})
    assert "Accept-Encoding" in answer.headers["vary"]
    headers = {"accept-encoding": "gzip", "if-none-match": answer.headers["etag"]}
    assert anonymous.get("/assets/page-C7y2.js", headers=headers).status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/assets/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/..%5csecret.txt",
        "//etc/passwd",
        "/assets//etc/passwd",
        "/assets/link.txt",
        "/assets/%00",
        "/assets/" + "x" * 5000,
        "/.%2e/secret.txt",
    ],
)
def test_no_file_outside_the_folder_is_served(still: Doors, path: str):
    """The path goes to the application as a server would hand it on: decoded, not normalised."""
    from urllib.parse import unquote

    import anyio

    sent: list[dict[str, object]] = []
    body_parts = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def ask() -> None:
        async def receive() -> dict[str, object]:
            for part in body_parts:
                return part
            await anyio.sleep_forever()
            raise AssertionError

        async def send(message) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        await still.app(scope, receive, send)

    anyio.run(ask)
    body = b"".join(message.get("body", b"") for message in sent)  # type: ignore[misc]
    assert b"secret" not in body and b"root:" not in body
    assert sent[0]["status"] in (200, 404)


def test_without_built_pages_there_is_a_message(anonymous: TestClient):
    answer = anonymous.get("/")
    assert answer.status_code == 503
    assert "npm run build" in answer.text
    assert anonymous.get("/assets/x.js").status_code == 404
    assert anonymous.get("/healthz").status_code == 200


def test_health_and_readiness(app: FastAPI, anonymous: TestClient, settings: Settings):
    assert anonymous.get("/healthz").json()["status"] == "ok"
    assert anonymous.get("/readyz").json()["status"] == "ready"
    with app.state.session_factory.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    answer = anonymous.get("/readyz")
    assert answer.status_code == 503 and "podium migrate" in answer.json()["detail"]
    with app.state.session_factory.begin() as session:
        session.execute(text("DROP TABLE alembic_version"))
    assert anonymous.get("/readyz").status_code == 503
    gone = create_app(settings.model_copy(update={"database_url": "postgresql+psycopg://nobody@127.0.0.1:1/none"}))
    with TestClient(gone) as client:
        assert client.get("/healthz").status_code == 200
        answer = client.get("/readyz")
        assert answer.status_code == 503 and "cannot be reached" in answer.json()["detail"]
        assert client.get(f"{V1}/me", headers={"authorization": "Bearer x"}).status_code == 503


def test_no_request_waits_for_ever_in_the_database(app: FastAPI):
    with app.state.session_factory() as session:
        for name in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
            assert session.scalar(text(f"SHOW {name}")) not in ("0", None)


def test_metrics_are_for_this_machine_or_a_token(app: FastAPI, settings: Settings, admin: TestClient):
    admin.get(f"{V1}/users")
    local = TestClient(app, client=("127.0.0.1", 1))
    text = local.get("/metrics").text
    assert 'podium_http_requests_total{method="GET",route="/api/v1/users",status="200"} 1.0' in text
    assert "podium_judgments_waiting 0.0" in text
    assert 'podium_runs{state="queued"} 0.0' in text
    assert TestClient(app, client=("203.0.113.7", 1)).get("/metrics").status_code == 403
    assert local.get("/metrics", headers={"x-forwarded-for": "203.0.113.7"}).status_code == 403
    guarded = create_app(settings.model_copy(update={"metrics_token": "a secret"}), app.state.session_factory)
    assert TestClient(guarded, client=("127.0.0.1", 1)).get("/metrics").status_code == 403
    far = TestClient(guarded, client=("203.0.113.7", 1))
    assert far.get("/metrics", headers={"authorization": "Bearer a secret"}).status_code == 200


def test_unknown_paths_do_not_make_new_counters(app: FastAPI, anonymous: TestClient):
    for number in range(5):
        anonymous.get(f"/api/v1/nothing/{number}")
        anonymous.get(f"/page/{number}")
        anonymous.request(f"ODD{number}", "/api/v1/me")
    text = TestClient(app, client=("127.0.0.1", 1)).get("/metrics").text
    assert "nothing" not in text and "page/" not in text and "ODD" not in text


def test_no_secret_reaches_the_log(doors: Doors, app: FastAPI, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    secrets = ["correct horse battery", "a wrong password", "q-in-the-query"]
    doors.person(email="ann@example.org", password=secrets[0])
    client = doors.anonymous()
    with capture_logs() as logs:
        for password in secrets[:2]:
            answer = client.post(f"{V1}/session", json={"email": "ann@example.org", "password": password})
        secrets += [client.cookies["podium_session"]]
        admin = doors.enter(doors.person("admin"))
        secrets += [admin.headers["X-CSRF-Token"], admin.cookies["podium_session"]]
        invitation = admin.post(f"{V1}/invitations", json={"role": "annotator"}).json()["token"]
        client.get(f"{V1}/invitations/{invitation}")
        client.get(f"/invitations/{invitation}")
        secrets += [invitation, admin.post(f"{V1}/tokens", json={"name": "t", "scopes": ["read"]}).json()["token"]]
        client.get(f"{V1}/users?q={secrets[2]}", headers={"authorization": f"Bearer {secrets[-1]}"})
    assert answer.status_code == 401
    assert len(logs) >= 6
    text = json.dumps(logs, default=str)
    for secret in secrets:
        assert secret not in text


def test_the_api_process_stays_light():
    code = (
        "import sys, backend.app; "
        "heavy = {'torch', 'transformers', 'peft', 'celery', 'workers', 'kombu'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
