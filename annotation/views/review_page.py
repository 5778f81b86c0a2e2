"""The page of one review, as far as this person has come with it.

blind    one's own answer, without the votes
decide   the votes beside it, and the decision
look     somebody else's, or over: read only
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.models import Role, User
from annotation import (
    answer_form,
    comment_selectors,
    gold_selectors,
    review_selectors,
    review_words,
    selectors,
    sheets,
    vote_selectors,
)
from annotation.answer_form import Entered
from annotation.models.review import Review
from annotation.models.work import Judgment
from annotation.services import adjudicating, discussing
from annotation.views.judging_context import key_rows

WITHOUT = ("skip", "flag", "undo", "mark")  # actions of the judging page that a review has not


def shown(
    request: HttpRequest,
    review: Review,
    user: User,
    role: Role | None,
    *,
    entered: Entered | None = None,
    problem: str = "",
) -> HttpResponse:
    """The page; 422 with a problem. `entered` is what could not be stored."""
    step = step_of(review, user, role)
    context = _context(review, role, step, problem)
    context["sheet"] = _sheet(review, entered or _prefilled(review, user, step))
    if step == "blind":
        return render(request, "annotation/review_blind.html", context, status=422 if problem else 200)
    still_to_check = review.kind == Review.Kind.SPOT_CHECK and review.state == Review.State.OPEN
    context["blind"] = (still_to_check and context["may_review"]) or vote_selectors.why_blind(
        user, role, review.item
    )
    if not context["blind"]:
        context |= _votes(review, role)
    context["reason"] = answer_form.clean(request.POST, "reason") or review.reason
    context["wants_gold"] = "gold" in request.POST
    return render(request, f"annotation/review_{step}.html", context, status=422 if problem else 200)


def step_of(review: Review, user: User, role: Role | None) -> str:
    if review.state != Review.State.OPEN or review.reviewer_id != user.pk or role not in selectors.JUDGES:
        return "look"
    return "blind" if adjudicating.needs_blind_answer(review, user) else "decide"


def _context(review: Review, role: Role | None, step: str, problem: str) -> dict[str, Any]:
    project = review.project
    return {
        "project": project,
        "tab": "review",
        "role": role,
        "review": review,
        "item": review.item,
        "step": step,
        "several": len(project.criteria) > 1,
        "pairwise": project.kind == "pairwise",
        "may_review": role in selectors.WATCHERS & selectors.JUDGES,
        "problem": problem,
        "longest_reason": adjudicating.LONGEST_REASON,
        "key_rows": [row for row in key_rows(project) if row.action not in WITHOUT],
    }


def _votes(review: Review, role: Role | None) -> dict[str, Any]:
    """What others said, and what has been said of it: only for those who may see it."""
    project, item = review.project, review.item
    votes = vote_selectors.votes_on(item)
    twin = gold_selectors.gold_twin(item)
    odds = review_selectors.model_on(project, [item.pk]).get(item.pk)
    return {
        "votes": votes,
        "own_blind": review_words.told(project, review.blind),
        "decision": review_words.told(project, review.decision),
        "flags": review_selectors.flags_on(item),
        "model": review_words.says(odds) if odds else "",
        "earlier": [
            (one, review_words.told(project, one.decision))
            for one in review_selectors.reviews_of(item)
            if one.pk != review.pk and one.state == Review.State.DONE
        ],
        "twin": twin,
        "may_gold": twin is None or role in selectors.MANAGERS,
        "comments": comment_selectors.thread(item),
        "longest_comment": discussing.LONGEST_COMMENT,
    }


def _prefilled(review: Review, user: User, step: str) -> Entered:
    """To decide, one's own answer; to answer, what one answered as an annotator."""
    if step == "look":
        return Entered()
    answers = adjudicating.plain(review.blind)
    own = Judgment.objects.filter(item=review.item, annotator=user, live=True).first()
    if not answers and own is not None:
        answers = vote_selectors.plain(own.answers.all())
    order = list(range(review.item.item_responses.count()))
    return answer_form.from_canonical(answers, review.project.question, order)


def _sheet(review: Review, entered: Entered) -> sheets.Sheet:
    places = review.item.item_responses.select_related("response").order_by("position")
    turns = [selectors.Turn(turn["role"], turn["content"]) for turn in review.item.prompt.messages]
    return sheets.build(review.project, turns, [place.response.text for place in places], entered)
