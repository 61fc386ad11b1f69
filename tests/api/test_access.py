"""Who may do what: every route of the application has its rule in the table below, and is held to it over HTTP.

A new route fails here until its rule is written down.
"""

import uuid
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from backend.app import create_app
from backend.embedded import Cluster
from backend.services import projects, sessions
from backend.settings import Settings
from tests.api.conftest import Doors

PUBLIC = "anybody"
READER = "any person, any token"
PERSON = "a person in a browser, or an admin's token with scope admin"
ANNOTATOR = "whoever may judge"
ADMIN = "admins"
ADMIN_READER = "admins, reading tokens too"

V1 = "/api/v1"
PROJECT = f"{V1}/projects/{{project}}"

RULES: dict[str, str] = {
    "GET /healthz": PUBLIC,
    "GET /readyz": PUBLIC,
    f"GET {V1}/openapi.json": PUBLIC,
    # accounts
    f"POST {V1}/session": PUBLIC,
    f"DELETE {V1}/session": READER,
    f"GET {V1}/me": READER,
    f"PATCH {V1}/me": PERSON,
    f"POST {V1}/users": ADMIN,
    f"GET {V1}/users": ADMIN_READER,
    f"PATCH {V1}/users/{{id}}": ADMIN,
    f"POST {V1}/invitations": ADMIN,
    f"GET {V1}/invitations/{{token}}": PUBLIC,
    f"POST {V1}/invitations/{{token}}/accept": PUBLIC,
    f"POST {V1}/tokens": PERSON,
    f"GET {V1}/tokens": READER,
    f"DELETE {V1}/tokens/{{id}}": PERSON,
    # projects
    f"POST {V1}/projects": ADMIN,
    f"GET {V1}/projects": READER,
    f"GET {PROJECT}": READER,
    f"PATCH {PROJECT}": ADMIN,
    f"GET {PROJECT}/progress": READER,
    f"GET {PROJECT}/asking": ADMIN_READER,
    f"GET {PROJECT}/guidelines": READER,
    # prompts, completions, models: an annotator must not learn which model wrote what
    f"GET {PROJECT}/prompts": ADMIN_READER,
    f"GET {PROJECT}/prompts/{{prompt_id}}": ADMIN_READER,
    f"GET {PROJECT}/completions": ADMIN_READER,
    f"POST {V1}/models": ADMIN,
    f"GET {V1}/models": ADMIN_READER,
    f"GET {V1}/models/{{model_id}}": ADMIN_READER,
    # judging
    f"POST {PROJECT}/comparisons/next": ANNOTATOR,
    f"GET {PROJECT}/comparisons": ADMIN_READER,
    f"POST {V1}/comparisons/{{comparison_id}}/skip": ANNOTATOR,
    f"POST {V1}/comparisons/{{comparison_id}}/unskip": ANNOTATOR,
    f"GET {PROJECT}/skips": ADMIN_READER,
    f"GET {PROJECT}/gold": ADMIN_READER,
    f"POST {PROJECT}/gold": ADMIN,
    f"PATCH {V1}/gold/{{gold_id}}": ADMIN,
    f"POST {PROJECT}/annotators/{{annotator_id}}/standing": ADMIN,
    f"POST {PROJECT}/skips/{{set_key}}/settle": ADMIN,
    f"POST {V1}/comparisons/{{comparison_id}}/flag": ANNOTATOR,
    f"DELETE {V1}/flags/{{flag_id}}": ANNOTATOR,
    f"GET {PROJECT}/flags": ADMIN_READER,
    f"POST {V1}/flags/{{flag_id}}/resolve": ADMIN,
    f"DELETE {V1}/flags/{{flag_id}}/resolution": ADMIN,
    f"POST {V1}/leases/{{lease_id}}/renew": ANNOTATOR,
    f"DELETE {V1}/leases/{{lease_id}}": ANNOTATOR,
    f"PUT {V1}/judgments/{{judgment_id}}": ANNOTATOR,
    f"DELETE {V1}/judgments/{{judgment_id}}": ANNOTATOR,
    f"GET {PROJECT}/my-judgments": ANNOTATOR,
    f"GET {PROJECT}/judgments": ADMIN_READER,
    f"GET {V1}/judgments/{{judgment_id}}": ADMIN_READER,
    f"GET {PROJECT}/disagreements": ADMIN_READER,
    f"POST {PROJECT}/adjudications": ADMIN,
    # files in and out
    f"POST {PROJECT}/imports": ADMIN,
    f"GET {PROJECT}/export": ADMIN_READER,
    # what came of it
    f"GET {PROJECT}/ratings": ADMIN_READER,
    f"GET {PROJECT}/ratings/history": ADMIN_READER,
    f"GET {PROJECT}/leaderboard": ADMIN_READER,
    f"GET {PROJECT}/win-matrix": ADMIN_READER,
    f"GET {PROJECT}/agreement": ADMIN_READER,
    f"GET {PROJECT}/agreement/history": ADMIN_READER,
    f"GET {PROJECT}/annotators": ADMIN_READER,
    f"GET {PROJECT}/annotator-fits": ADMIN_READER,
    f"POST {PROJECT}/annotator-fits": ADMIN,
    f"GET {V1}/annotator-fits/{{fit_id}}": ADMIN_READER,
    f"GET {PROJECT}/my-work": ANNOTATOR,
    f"GET {PROJECT}/annotators/{{user_id}}": ADMIN_READER,
    # everybody, in a project that ranks people; this one does not
    f"GET {PROJECT}/people-ranking": ADMIN_READER,
    f"POST {PROJECT}/contests": ADMIN,
    f"POST {PROJECT}/voidings": ADMIN,
    f"GET {PROJECT}/voidings": ADMIN_READER,
    f"DELETE {V1}/voidings/{{voiding_id}}": ADMIN,
    f"POST {PROJECT}/reward-sets": ADMIN,
    f"GET {PROJECT}/reward-sets": ADMIN_READER,
    f"GET {V1}/reward-sets/{{reward_set_id}}": ADMIN_READER,
    f"GET {V1}/reward-sets/{{reward_set_id}}/rewards": ADMIN_READER,
    f"GET {V1}/reward-sets/{{reward_set_id}}/rewards/{{completion_id}}": ADMIN_READER,
    f"GET {V1}/reward-sets/{{reward_set_id}}/shape": ADMIN_READER,
    f"GET {V1}/reward-sets/{{reward_set_id}}/compare/{{other_id}}": ADMIN_READER,
    # training
    f"GET {V1}/run-kinds": ADMIN_READER,
    f"POST {V1}/runs": ADMIN,
    f"POST {PROJECT}/runs/estimate": ADMIN,
    f"GET {V1}/runs": ADMIN_READER,
    f"GET {V1}/runs/{{id}}": ADMIN_READER,
    f"GET {V1}/runs/{{id}}/metrics": ADMIN_READER,
    f"GET {V1}/runs/{{id}}/tensorboard": ADMIN_READER,
    f"GET {V1}/runs/{{id}}/samples": ADMIN_READER,
    f"GET {V1}/runs/{{id}}/sample-steps": ADMIN_READER,
    f"GET {V1}/runs/{{id}}/log": ADMIN_READER,
    f"POST {V1}/runs/{{id}}/cancel": ADMIN,
    f"POST {V1}/runs/{{id}}/resume": ADMIN,
    f"GET {V1}/checkpoints": ADMIN_READER,
    f"GET {V1}/checkpoints/by-name/{{namespace}}/{{name}}": ADMIN_READER,
    f"GET {V1}/checkpoints/{{id}}": ADMIN_READER,
    f"GET {V1}/checkpoints/{{id}}/files/{{path:path}}": ADMIN_READER,
    f"HEAD {V1}/checkpoints/{{id}}/files/{{path:path}}": ADMIN_READER,
    f"POST {V1}/checkpoints/{{id}}/promote": ADMIN,
}
# Checked elsewhere: /metrics asks for the machine or a token of its own (test_app).
ELSEWHERE = {"GET /metrics"}

# Routes that look at the caller only after the body was found to be right.
BODIES = {f"POST {V1}/tokens": {"name": "t", "scopes": ["read"]}, f"PATCH {V1}/me": {"name": "Somebody"}}

ADMITTED: dict[str, set[str]] = {
    READER: {
        "annotator",
        "annotator token read",
        "annotator token annotate",
        "admin",
        "admin token read",
        "admin token annotate",
        "admin token admin",
    },
    PERSON: {"annotator", "admin", "admin token admin"},
    ANNOTATOR: {"annotator", "annotator token annotate", "admin", "admin token annotate", "admin token admin"},
    ADMIN: {"admin", "admin token admin"},
    ADMIN_READER: {"admin", "admin token read", "admin token admin"},
}
ADMITTED[PUBLIC] = {"anonymous", *ADMITTED[READER]}
UNSAFE = ("POST ", "PUT ", "PATCH ", "DELETE ")


@pytest.fixture(scope="module")
def app(cluster: Cluster, template: str) -> Iterator[FastAPI]:
    """One application for the whole table: nothing in it is changed by asking for things that do not exist."""
    app = create_app(Settings(database_url=cluster.create_database("test_access", template)))
    with TestClient(app):
        yield app
    cluster.drop_database("test_access")


@pytest.fixture(scope="module")
def doors(app: FastAPI) -> Doors:
    """Ways in; with an admin besides those of the tests, so that nothing is refused because it was the last one's."""
    doors = Doors(app)
    doors.person("admin", password="correct horse battery")
    return doors


@pytest.fixture(scope="module")
def project(app: FastAPI) -> str:
    """The slug of a project, since whoever may not read it must be refused before it is looked up."""
    with app.state.session_factory.begin() as session:
        return projects.create(session, name="A study").slug


@pytest.fixture(scope="module")
def callers(doors: Doors) -> dict[str, Callable[[], TestClient]]:
    """Makes a fresh client for each kind of caller: some routes end the session they are called with."""
    made: dict[str, Callable[[], TestClient]] = {"anonymous": doors.anonymous}
    for role in ("annotator", "admin"):
        user = doors.person(role)
        made[role] = partial(doors.enter, user)
        for scope in sessions.SCOPES_OF_ROLE[role]:
            made[f"{role} token {scope}"] = partial(doors.call, user, scope)
    return made


def routes(app: FastAPI) -> set[str]:
    """`METHOD /path` of every route, hidden ones too."""
    found = set()
    for context in iter_route_contexts(app.routes):
        for method in context.methods or ():
            if method != "HEAD" or "GET" not in (context.methods or ()):
                found.add(f"{method} {context.path}")
    return found


def ask(client: TestClient, route: str, project: str) -> int:
    """The status of a request to this route, in a project that exists, for a thing that does not."""
    method, _, path = route.partition(" ")
    path = path.replace("{project}", project)
    while "{" in path:
        head, _, rest = path.partition("{")
        path = head + str(uuid.uuid4()) + rest.partition("}")[2]
    body = BODIES.get(route)
    answer = client.request(method, path, json=body) if body is not None else client.request(method, path)
    assert answer.status_code < 500, answer.text
    return answer.status_code


def test_nobody_unknown_hears_which_projects_exist(doors: Doors):
    answer = doors.anonymous().get(f"{V1}/projects/no-such-project")
    assert answer.status_code == 401


def test_every_route_has_a_rule_and_every_rule_a_route(app: FastAPI):
    assert routes(app) - ELSEWHERE == set(RULES)


@pytest.mark.parametrize("route", RULES)
def test_everybody_gets_as_far_as_they_may(callers: dict[str, Callable[[], TestClient]], project: str, route: str):
    refused = {"anonymous": 401}
    for who, make in callers.items():
        status = ask(make(), route, project)
        if who in ADMITTED[RULES[route]]:
            # 401 is what a wrong password gets; nobody who is signed in may hear it.
            assert status not in (401, 403), f"{who} was refused {route}"
        else:
            assert status == refused.get(who, 403), f"{who} got {status} from {route}"


@pytest.mark.parametrize("route", [route for route in RULES if route.startswith(UNSAFE) and RULES[route] != PUBLIC])
def test_a_cookie_alone_changes_nothing(doors: Doors, project: str, route: str):
    user = doors.person("admin")
    bare = doors.enter(user, csrf=False)
    assert ask(bare, route, project) == 403
    bare.headers["X-CSRF-Token"] = "guessed"
    assert ask(bare, route, project) == 403
    foreign = doors.enter(user)
    foreign.headers["Origin"] = "https://evil.example"
    assert ask(foreign, route, project) == 403
    foreign.headers["Origin"] = "null"
    assert ask(foreign, route, project) == 403
    own = doors.enter(user)
    own.headers["Origin"] = "http://testserver"
    assert ask(own, route, project) != 403
