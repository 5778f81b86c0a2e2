"""POST /p/<project>/api/score: rewards for programs, by token. JSON in, JSON out, also when refused.

Torch stays out of this process: the scorer beside it answers (`services.serving`).
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from accounts.models import ApiToken
from accounts.services import api_tokens
from annotation.models.project import Project
from annotation.selectors import BUILDERS, project_for
from rewardmodel.selectors import active_ensemble
from rewardmodel.services import serving

MOST = 1_000  # responses in one request


class Refused(Exception):
    def __init__(self, status: int, error: str, *, headers: Mapping[str, str] | None = None, **more: Any):
        super().__init__(error)
        self.status, self.body, self.headers = status, {"error": error, **more}, headers or {}


@csrf_exempt  # no cookie is looked at: only the token lets anybody in
@never_cache
@require_POST
def score(request: HttpRequest, slug: str) -> JsonResponse:
    """{"prompt", "response" or "responses"} or {"items": [{"prompt", "response"}]}, and perhaps "lambda"."""
    try:
        token = _token(request)
        project = _project(token, slug)
        question = _question(request)
        _charge(token, len(question["items"]))
        return JsonResponse(_ask(project, question))
    except Refused as refused:
        return JsonResponse(refused.body, status=refused.status, headers=dict(refused.headers))


def _token(request: HttpRequest) -> ApiToken:
    token = api_tokens.find(request.headers.get("Authorization", ""))
    if token is None:
        words = "Send a token that works: Authorization: Bearer TOKEN (./laurel api_token NAME makes one)."
        raise Refused(HTTPStatus.UNAUTHORIZED, words, headers={"WWW-Authenticate": "Bearer"})
    return token


def _project(token: ApiToken, slug: str) -> Project:
    try:
        return project_for(token.user, slug, roles=BUILDERS)
    except Http404 as error:
        raise Refused(HTTPStatus.NOT_FOUND, str(error)) from None


def _question(request: HttpRequest) -> dict[str, Any]:
    """The scorer's native question; it checks the rest."""
    try:
        body = json.loads(request.body)
    except RequestDataTooBig:
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 2**20
        words = f"At most {most} MiB are read. Send fewer responses at once."
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, words) from None
    except (ValueError, RecursionError) as error:
        raise Refused(HTTPStatus.BAD_REQUEST, f"The body is not JSON: {error}.") from None
    if not isinstance(body, dict):
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "body: must be a JSON object.", field="body")
    if "items" not in body:
        body = _one_prompt(body)
    if not isinstance(body["items"], list) or not 1 <= len(body["items"]) <= MOST:
        words = f"items: must be a list of 1 to {MOST} objects with prompt and response."
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, words, field="items")
    question: dict[str, Any] = body
    return question


def _one_prompt(body: dict[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in body.items() if name not in ("prompt", "response", "responses")}
    if "responses" not in body:
        given = {name: body[name] for name in ("prompt", "response") if name in body}
        return rest | {"items": [given]}
    if "response" in body:
        words = "response: give either response or responses."
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, words, field="response")
    if not isinstance(body["responses"], list) or not 1 <= len(body["responses"]) <= MOST:
        words = f"responses: must be a list of 1 to {MOST} texts."
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, words, field="responses")
    return rest | {"items": [{"prompt": body.get("prompt"), "response": each} for each in body["responses"]]}


def _charge(token: ApiToken, count: int) -> None:
    try:
        api_tokens.charge(row=token, count=count, limit=settings.LAUREL_API_RESPONSES_PER_MINUTE)
    except api_tokens.TooMuch as error:
        headers = {"Retry-After": str(error.retry_after)}
        raise Refused(HTTPStatus.TOO_MANY_REQUESTS, f"Responses: {error}", headers=headers) from None


def _ask(project: Project, question: dict[str, Any]) -> dict[str, Any]:
    if active_ensemble(project) is None:
        words = f"{project.slug} has no ensemble that scores yet. Train one: ./laurel train {project.slug}."
        raise Refused(HTTPStatus.CONFLICT, words)
    try:
        return serving.ask(project=project, question=question)
    except serving.ScorerMissing as error:
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, str(error), headers={"Retry-After": "5"}) from error
    except serving.ScorerRefused as error:
        if error.status == HTTPStatus.UNPROCESSABLE_ENTITY:
            raise Refused(error.status, str(error), field=error.body.get("field")) from error
        # Not listed yet (a promotion is noticed within seconds), busy, or broken: not the client's fault.
        words = f"The scoring process could not answer: {error}"
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, words, headers={"Retry-After": "5"}) from error
