"""The annotator's workplace over HTTP: skips, flags, what is hidden, archived projects, guidelines in versions."""

import re
import uuid

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select

from backend.tables import Completion, Prompt
from tests.api.conftest import Doors
from tests.api.test_access import ANNOTATOR, READER, RULES
from tests.api.test_isolation import V1, judge, next_of
from tests.factories import make_study


@pytest.fixture
def study(app: FastAPI) -> str:
    """The slug of a project with work to do."""
    with app.state.session_factory.begin() as session:
        return make_study(session, prompts=4, models=2, overlap=3).slug


def test_the_fields_of_a_project(admin: TestClient, annotator: TestClient):
    made = admin.post(
        f"{V1}/projects",
        json={
            "name": "Tea",
            "skips_to_retire": 3,
            "masks": [" As a model by * ", "as a MODEL by *"],
            "qualification_share": 0.75,
            "people_ranking": True,
            "protocol": {"size": 4, "top": 1, "ideal_answer": "optional", "spans": True},
        },
    )
    assert made.status_code == 201, made.text
    project = made.json()
    fields = ("skips_to_retire", "masks", "qualification_share", "people_ranking", "state")
    assert [project[field] for field in fields] == [3, ["As a model by *"], 0.75, True, "active"]
    changed = admin.patch(f"{V1}/projects/tea", json={"skips_to_retire": None, "masks": [], "people_ranking": False})
    assert [changed.json()[field] for field in fields] == [None, [], 0.75, False, "active"]
    admin.patch(f"{V1}/projects/tea", json={"masks": ["Acme"]})
    assert annotator.get(f"{V1}/projects/tea").json()["masks"] == [], "masks tell what they hide"
    assert annotator.get(f"{V1}/projects").json()["items"][0]["masks"] == []
    for bad in ({"skips_to_retire": 0}, {"masks": ["*"]}, {"masks": ["x" * 201]}, {"masks": ["x"] * 201}):
        assert admin.patch(f"{V1}/projects/tea", json=bad).status_code == 422, bad


def test_an_archived_project_hands_out_nothing_but_takes_all(admin: TestClient, annotator: TestClient, study: str):
    comparison = next_of(annotator, study)
    assert admin.patch(f"{V1}/projects/{study}", json={"state": "archived"}).json()["state"] == "archived"
    assert annotator.post(f"{V1}/projects/{study}/comparisons/next").json()["items"] == []
    assert judge(annotator, comparison).json()["counted"]
    assert annotator.get(f"{V1}/projects").json()["items"] == []
    assert len(annotator.get(f"{V1}/projects", params={"archived": True}).json()["items"]) == 1
    assert annotator.get(f"{V1}/projects/{study}").status_code == 200
    assert admin.get(f"{V1}/projects/{study}/judgments").status_code == 200


def test_guidelines_in_their_versions(admin: TestClient, annotator: TestClient, study: str):
    for text in ("Be kind.", "Be kind and brief."):
        admin.patch(f"{V1}/projects/{study}", json={"guidelines": text})
    versions = annotator.get(f"{V1}/projects/{study}/guidelines").json()["items"]
    assert [(one["version"], one["text"]) for one in versions] == [
        (3, "Be kind and brief."), (2, "Be kind."), (1, "")
    ]  # fmt: skip
    comparison = next_of(annotator, study)
    assert judge(annotator, comparison, guidelines_version=4).status_code == 422
    assert judge(annotator, comparison, guidelines_version=2).status_code == 201
    assert admin.get(f"{V1}/projects/{study}/judgments").json()["items"][0]["guidelines_version"] == 2


def test_skipping_and_taking_it_back(admin: TestClient, annotator: TestClient, doors: Doors, study: str):
    admin.patch(f"{V1}/projects/{study}", json={"skips_to_retire": 1})
    comparison = next_of(annotator, study)
    path = f"{V1}/comparisons/{comparison['id']}"
    assert annotator.post(f"{path}/skip").status_code == 204
    assert annotator.post(f"{path}/skip", json={"reason": "in Klingon"}).status_code == 204
    (skipped,) = admin.get(f"{V1}/projects/{study}/skips").json()["items"]
    assert [(one["reason"], one["annotator"]["name"] != "") for one in skipped["skips"]] == [("in Klingon", True)]
    assert skipped["retired"] and skipped["prompt"]["id"] == comparison["prompt"]["id"]
    assert sorted(skipped["completions"]) == sorted(one["id"] for one in comparison["completions"])
    back = annotator.post(f"{path}/unskip")
    assert back.status_code == 200
    assert back.json()["comparison"]["prompt"] == comparison["prompt"]
    assert back.json()["comparison"]["completions"] == comparison["completions"]
    assert admin.get(f"{V1}/projects/{study}/skips").json()["items"] == []
    assert annotator.post(f"{path}/skip").status_code == 204
    settled = admin.post(f"{V1}/projects/{study}/skips/{skipped['set_key']}/settle")
    assert settled.status_code == 204
    other = doors.enter(doors.person())
    assert other.post(f"{path}/unskip").status_code == 404
    assert other.post(f"{V1}/projects/{study}/comparisons/next?count=9").json()["items"].__len__() == 4


def test_a_flag_and_what_becomes_of_it(admin: TestClient, annotator: TestClient, doors: Doors, study: str):
    comparison = next_of(annotator, study)
    path = f"{V1}/comparisons/{comparison['id']}/flag"
    assert annotator.post(path, json={"reason": ""}).status_code == 422
    other = doors.enter(doors.person())
    assert other.post(path, json={"reason": "x"}).status_code == 404
    flag = annotator.post(path, json={"reason": "a phone number"})
    assert flag.status_code == 201
    again = annotator.post(path, json={"reason": "a phone number of a person"}).json()
    assert again["id"] == flag.json()["id"], "sent twice it is one"
    (listed,) = admin.get(f"{V1}/projects/{study}/flags", params={"open": True}).json()["items"]
    assert listed == again and listed["prompt"]["id"] == comparison["prompt"]["id"]
    id = listed["id"]
    assert other.delete(f"{V1}/flags/{id}").status_code == 404
    done = admin.post(f"{V1}/flags/{id}/resolve", json={"resolution": "removed"}).json()
    assert done["resolution"] == "removed" and done["resolved_at"]
    assert admin.get(f"{V1}/projects/{study}/flags", params={"open": True}).json()["items"] == []
    assert len(admin.get(f"{V1}/projects/{study}/flags").json()["items"]) == 1
    assert annotator.delete(f"{V1}/flags/{id}").status_code == 409
    assert admin.delete(f"{V1}/flags/{id}/resolution").json()["resolved_at"] is None
    assert annotator.delete(f"{V1}/flags/{id}").status_code == 204
    assert admin.get(f"{V1}/projects/{study}/flags").json()["items"] == []
    assert judge(annotator, comparison).status_code == 201, "a flag keeps nobody from judging"


def test_hidden_phrases_reach_no_annotator(admin: TestClient, annotator: TestClient, study: str, app: FastAPI):
    """Every answer that an annotator gets for doing their work, with a secret in all that a model said."""
    with app.state.session_factory.begin() as session:
        for completion in session.scalars(select(Completion)):
            completion.text = f"As a language model trained by SecretLab, I say {completion.id}."
        for prompt in session.scalars(select(Prompt)):
            prompt.messages = [
                {"role": "user", "content": "Who are you?"},
                {"role": "assistant", "content": "secretlab made me."},
            ]
    admin.patch(f"{V1}/projects/{study}", json={"masks": ["as a * trained by SecretLab", "secretlab"]})
    seen = []
    comparison = next_of(annotator, study)
    path = f"{V1}/comparisons/{comparison['id']}"
    assert comparison["completions"][0]["text"] == f"▇▇▇, I say {comparison['completions'][0]['id']}."
    assert [message["content"] for message in comparison["prompt"]["messages"]] == ["Who are you?", "▇▇▇ made me."]
    seen.append(annotator.post(f"{path}/flag", json={"reason": "hm"}))
    seen.append(annotator.post(f"{path}/skip"))
    seen.append(annotator.post(f"{path}/unskip"))
    seen.append(judge(annotator, comparison))
    seen.append(annotator.get(f"{V1}/projects/{study}/my-judgments"))
    seen.append(annotator.delete(f"{V1}/judgments/{seen[3].json()['id']}"))
    seen.append(annotator.get(f"{V1}/projects/{study}"))
    assert [answer.status_code for answer in seen] == [201, 204, 200, 201, 200, 200, 200]
    assert seen[4].json()["items"][0]["prompt_excerpt"] == "▇▇▇ made me."
    # Everything else that an annotator may read.
    names = {"project": study, "comparison_id": comparison["id"], "judgment_id": seen[3].json()["id"]}
    for route, rule in RULES.items():
        if rule in (READER, ANNOTATOR) and route.startswith("GET "):
            path = re.sub(r"\{(\w+)\}", lambda found: names.get(found[1], str(uuid.uuid4())), route)
            seen.append(annotator.get(path.removeprefix("GET ")))
    assert len(seen) > 12
    assert [answer.text for answer in seen if "secretlab" in answer.text.lower()] == []
    assert "SecretLab" in admin.get(f"{V1}/projects/{study}/completions").text


def test_remarks_are_taken_with_a_judgment(admin: TestClient, annotator: TestClient, study: str):
    admin.patch(f"{V1}/projects/{study}", json={"protocol": {"ideal_answer": "optional", "spans": True}})
    comparison = next_of(annotator, study)
    text = comparison["completions"][1]["text"]
    bad = [{"completion": 1, "start": 0, "end": 3, "quote": "nope", "remark": ""}]
    refused = judge(annotator, comparison, spans=bad)
    assert (refused.status_code, refused.json()["field"]) == (422, "spans.0.quote")
    spans = [{"completion": 1, "start": 0, "end": 3, "quote": text[:3], "remark": "why?"}]
    id = uuid.uuid4()
    for status in (201, 200):
        answer = judge(annotator, comparison, id=id, spans=spans, ideal_answer="Tea.")
        assert answer.status_code == status, answer.text
    export = admin.get(f"{V1}/projects/{study}/export", params={"what": "judgments", "format": "jsonl"})
    assert export.json()["ideal_answer"] == "Tea." and export.json()["spans"] == spans
