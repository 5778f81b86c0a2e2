"""POST /p/<project>/api/score: who may, what is answered, and what is said where nothing can be."""

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from accounts.models import ApiToken, AuditEntry
from accounts.services import api_tokens
from rewardmodel.services import serving
from tests import factories
from tests.cast import make_cast

pytestmark = pytest.mark.django_db
BODY = {"prompt": "the cat", "response": "because"}
ANSWER = {"ensemble": {"run": 1, "project": "harbour"}, "lambda": 1.0, "results": [{"mean": 0.5}]}


@pytest.fixture
def cast():
    made = make_cast()
    for project in (made.project, made.other_project):
        factories.ensemble(factories.run(project))
    return made


@pytest.fixture
def asked(monkeypatch):
    """What reached the scoring process, which answers with ANSWER."""
    questions = []
    monkeypatch.setattr(
        serving, "ask", lambda *, project, question: questions.append((project.slug, question)) or ANSWER
    )
    return questions


def post(token, body=BODY, slug="harbour", **more):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    content = body if isinstance(body, str) else json.dumps(body)
    return Client(enforce_csrf_checks=True).post(
        f"/p/{slug}/api/score", content, content_type="application/json", headers=headers, **more
    )


def token_of(user, **options):
    return api_tokens.issue(user=user, name="test", **options).token


def test_every_role_in_the_own_project_and_in_others(cast, asked):
    may = {"manager", "engineer", "admin"}
    for actor in ("outsider", "annotator", "reviewer", "manager", "engineer", "admin"):
        token = token_of(getattr(cast, actor))
        assert post(token).status_code == (200 if actor in may else 404), actor
        for slug in ("orchard", "invented"):
            expected = 200 if actor == "admin" and slug == "orchard" else 404
            if not (actor == "outsider" and slug == "orchard"):
                found = post(token, slug=slug)
                assert found.status_code == expected, (actor, slug)
                assert expected == 200 or found.json() == {"error": "No such project."}
    assert len(asked) == 4


def test_a_token_that_does_not_work_opens_nothing(cast, asked):
    late = token_of(cast.engineer)
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    gone = api_tokens.issue(user=cast.engineer, name="gone")
    api_tokens.revoke(row=gone.row)
    for token in ("", "laurel_", "laurel_invented", late, gone.token, gone.token.removeprefix("laurel_")):
        answer = post(token)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert "api_token" in answer.json()["error"]
    working = token_of(cast.engineer)
    assert post(working).status_code == 200
    cast.engineer.is_active = False
    cast.engineer.save()
    assert post(working).status_code == 401
    assert len(asked) == 1


def test_a_session_is_no_token(cast, asked):
    client = Client()
    client.force_login(cast.engineer)
    answer = client.post("/p/harbour/api/score", json.dumps(BODY), content_type="application/json")
    assert (answer.status_code, asked) == (401, [])


def test_one_several_or_many_prompts(cast, asked):
    token = token_of(cast.engineer)
    answer = post(token, BODY | {"lambda": 0.5})
    assert answer.json() == ANSWER
    post(token, {"prompt": "p", "responses": ["r", "s"]})
    post(token, {"items": [BODY, BODY]})
    assert asked == [
        ("harbour", {"items": [BODY], "lambda": 0.5}),
        ("harbour", {"items": [{"prompt": "p", "response": "r"}, {"prompt": "p", "response": "s"}]}),
        ("harbour", {"items": [BODY, BODY]}),
    ]


def test_what_is_wrong_is_said_in_json(cast, asked, settings):
    token = token_of(cast.engineer)
    for body, status in (
        ("{", 400),
        ("[" * 100_000, 400),
        ("[]", 422),
        ({"items": []}, 422),
        ({"items": [BODY] * 1001}, 422),
    ):
        answer = post(token, body)
        assert (answer.status_code, bool(answer.json()["error"])) == (status, True)
    for more, field in (
        ({"responses": "r"}, "responses"),
        ({"responses": []}, "responses"),
        ({"responses": ["r"] * 1001}, "responses"),
        ({"response": "r", "responses": ["s"]}, "response"),
    ):
        answer = post(token, {"prompt": "p", **more})
        assert (answer.status_code, answer.json()["field"]) == (422, field)
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    assert post(token).status_code == 413
    assert asked == []


def test_what_the_scorer_refuses_is_passed_on(cast, monkeypatch):
    token = token_of(cast.engineer)

    def raises(error):
        def ask(**_):
            raise error

        monkeypatch.setattr(serving, "ask", ask)

    raises(
        serving.ScorerRefused(422, {"error": "items[0].response: is missing.", "field": "items[0].response"})
    )
    answer = post(token)
    assert (answer.status_code, answer.json()["field"]) == (422, "items[0].response")
    for status in (404, 500, 503):
        raises(serving.ScorerRefused(status, {"error": "no room"}))
        answer = post(token)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    raises(serving.ScorerMissing("The scoring process does not answer. ./laurel up starts it"))
    answer = post(token)
    assert answer.status_code == 503
    assert "./laurel up" in answer.json()["error"]


def test_without_an_ensemble_it_says_to_train_one(asked):
    cast = make_cast()
    answer = post(token_of(cast.engineer))
    assert answer.status_code == 409
    assert "./laurel train harbour" in answer.json()["error"]
    assert asked == []


def test_a_token_is_used_up_for_a_minute(cast, asked, settings):
    settings.LAUREL_API_RESPONSES_PER_MINUTE = 5
    token, other = token_of(cast.engineer), token_of(cast.manager)
    many = {"items": [BODY] * 3}
    assert [post(token, body).status_code for body in (many, many, BODY, BODY, BODY)] == [
        200,
        429,
        200,
        200,
        429,
    ]
    assert post(token).headers["Retry-After"] == "60"
    assert post(other).status_code == 200
    ApiToken.objects.update(window_started_at=timezone.now() - timedelta(seconds=61))
    assert post(token, many).status_code == 200
    assert post(token, {"items": [BODY] * 6}).status_code == 429
    assert len(asked) == 5


def test_the_database_holds_no_token_and_the_log_says_who_has_one(cast):
    issued = api_tokens.issue(user=cast.engineer, name="nightly", actor=cast.manager)
    assert issued.token not in json.dumps(list(ApiToken.objects.values()), default=str)
    api_tokens.revoke(row=issued.row, actor=cast.manager)
    api_tokens.revoke(row=issued.row, actor=cast.manager)
    told = list(AuditEntry.objects.filter(action__startswith="API token").values_list("action", "detail"))
    about = {"user": cast.engineer.username, "name": "nightly"}
    assert told == [("API token made", about), ("API token revoked", about)]


def test_the_command_makes_lists_and_revokes(cast, capsys):
    name = cast.engineer.username

    def command(*words):
        call_command("api_token", name, *words, "--json")
        return json.loads(capsys.readouterr().out)

    made = command("--for", "nightly", "--days", "2")
    assert api_tokens.find(f"Bearer {made['token']}").user == cast.engineer
    assert [row["name"] for row in command("--list")["tokens"]] == ["nightly"]
    assert command("--revoke", str(made["id"])) == {"user": name, "revoked": made["id"]}
    assert api_tokens.find(f"Bearer {made['token']}") is None
    assert command("--list")["tokens"][0]["state"] == "revoked"
    for words in (("--days", "0"), ("--revoke", "999999")):
        with pytest.raises(CommandError):
            command(*words)
