"""Review: what waits for a decision, and one review in its steps, from one's own answer to the decision."""

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import Role, User
from annotation import (
    answer_form,
    item_selectors,
    review_selectors,
    review_words,
    selectors,
    spot_check_selectors,
)
from annotation.answering.answer import InvalidAnswer
from annotation.models.project import Project
from annotation.models.review import Review
from annotation.services import adjudicating, spot_checking
from annotation.views import review_page

REVIEWERS = selectors.WATCHERS & selectors.JUDGES
SHOWN = 50
DRAW_AFTER = 60  # seconds between two draws by the page
LARGE = 20_000  # items


@login_required
@require_GET
def queue(request: HttpRequest, slug: str) -> HttpResponse:
    """What waits and why, the spot checks, the error rate, and what was decided last."""
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.WATCHERS)
    role = selectors.role_in(user, project)
    _draw(project)
    waiting = review_selectors.queue(project, limit=SHOWN)
    rate = spot_check_selectors.error_rate(project)
    mine = list(spot_check_selectors.waiting_for(user, project)[:1])
    context = {
        "project": project,
        "tab": "review",
        "role": role,
        "may_review": role in REVIEWERS,
        "queue": waiting,
        "rows": review_words.rows(project, waiting.rows, user, role),
        "rate": rate,
        "rate_of": review_words.checked_in_words(rate),
        "spot_check": mine[0] if mine else None,
        "past": review_words.past(project, user, role),
    }
    return render(request, "annotation/reviews.html", context)


def _draw(project: Project) -> None:
    """At once where that is quick; a large project leaves it to the worker."""
    large = project.items.order_by()[LARGE : LARGE + 1].exists()
    if not large and cache.add(f"spot-checks-drawn/{project.pk}", True, DRAW_AFTER):
        spot_checking.draw(project=project)


@login_required
@require_POST
def start(request: HttpRequest, slug: str, item_id: int) -> HttpResponse:
    """Decide this very item; whoever is at it already is shown."""
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=REVIEWERS)
    item = item_selectors.item_for(project, item_id)
    try:
        begun = adjudicating.start(item=item, reviewer=user)
    except adjudicating.CannotReview as refusal:
        messages.warning(request, str(refusal))
        return redirect("annotation:item", slug=slug, item_id=item.pk)
    return redirect("annotation:review", slug=slug, review_id=begun.pk)


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def review(request: HttpRequest, slug: str, review_id: int) -> HttpResponse:
    """One review as it stands for this person; a POST names the step it takes."""
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.WATCHERS)
    role = selectors.role_in(user, project)
    found = review_selectors.review_for(project, review_id)
    if request.method == "GET":
        return review_page.shown(request, found, user, role)
    step = STEPS.get(answer_form.clean(request.POST, "step"))
    if step is None or role not in REVIEWERS:
        raise Http404("No such step.")
    try:
        return cast(HttpResponse, step(request, found, user, role))
    except adjudicating.CannotReview as refusal:
        messages.warning(request, str(refusal))
        return redirect("annotation:review", slug=slug, review_id=found.pk)


def _take(request: HttpRequest, found: Review, user: User, _role: Role | None) -> HttpResponse:
    seen = answer_form.clean(request.POST, "seen")
    known = seen.isascii() and seen.isdigit() and len(seen) < 19
    adjudicating.take(review=found, reviewer=user, seen=int(seen) if known else None)
    return _to(found)


def _blind(request: HttpRequest, found: Review, user: User, role: Role | None) -> HttpResponse:
    entered = _entered(request, found)
    try:
        further = adjudicating.answer_blind(
            review=found, reviewer=user, answers=list(entered.answers.values())
        )
    except InvalidAnswer as error:
        return review_page.shown(request, found, user, role, entered=entered, problem=str(error))
    if found.kind == Review.Kind.ADJUDICATION:
        return _to(further)
    if further.pk == found.pk:
        messages.success(request, _("The label says the same. Thank you."))
        return redirect("annotation:reviews", slug=found.project.slug)
    messages.info(request, _("The label says something else. Here are the votes: what is right?"))
    return _to(further)


def _decide(request: HttpRequest, found: Review, user: User, role: Role | None) -> HttpResponse:
    entered = _entered(request, found)
    try:
        done = adjudicating.decide(
            review=found,
            reviewer=user,
            answers=list(entered.answers.values()),
            reason=answer_form.clean(request.POST, "reason"),
            make_gold="gold" in request.POST,
        )
    except InvalidAnswer as error:
        return review_page.shown(request, found, user, role, entered=entered, problem=str(error))
    said = review_words.told(found.project, done.decision)
    messages.success(request, _("Decided: %s.") % said)
    return redirect("annotation:reviews", slug=found.project.slug)


def _dismiss(request: HttpRequest, found: Review, user: User, role: Role | None) -> HttpResponse:
    try:
        adjudicating.dismiss(review=found, reviewer=user, reason=answer_form.clean(request.POST, "reason"))
    except InvalidAnswer as error:
        return review_page.shown(request, found, user, role, problem=str(error))
    messages.success(request, _("Put aside: votes and label stay as they are."))
    return redirect("annotation:reviews", slug=found.project.slug)


STEPS: dict[str, Any] = {"take": _take, "blind": _blind, "decide": _decide, "dismiss": _dismiss}


def _entered(request: HttpRequest, found: Review) -> answer_form.Entered:
    """Canonical, for the page shows the item's own order."""
    project: Project = found.project
    return answer_form.read(request.POST, project.question, found.item.item_responses.count())


def _to(found: Review) -> HttpResponse:
    return redirect("annotation:review", slug=found.project.slug, review_id=found.pk)
