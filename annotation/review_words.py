"""Why an item waits for a reviewer, in words. Who may not see the votes is told no figure that tells them."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import Role, User
from annotation import blind_selectors, item_selectors, review_selectors, spot_check_selectors
from annotation.answer_words import CHOICES, in_words
from annotation.answering.answer import Answer as Given
from annotation.item_selectors import DisputedItem
from annotation.models.project import Project
from annotation.models.review import ModelOdds, Review
from annotation.review_selectors import Waiting

FEW = 2  # votes; with fewer, that is a reason by itself


@dataclass(frozen=True)
class Badge:
    text: str
    tone: str = ""


@dataclass(frozen=True)
class Row:
    """One item of the queue as the page shows it. at_it: the review under way."""

    waiting: Waiting
    prompt: str
    badges: tuple[Badge, ...]
    at_it: Review | None


@dataclass(frozen=True)
class Past:
    """An adjudication that is over; `decision` is empty where it is hidden from the viewer."""

    review: Review
    prompt: str
    decision: str
    hidden: bool


def rows(project: Project, waiting: Sequence[Waiting], viewer: User, role: Role | None) -> list[Row]:
    """In the order given, with a fixed number of queries."""
    ids = [one.item_id for one in waiting]
    prompts = review_selectors.prompts_of(project, ids)
    votes = item_selectors.votes_on_items(project, ids)
    odds = review_selectors.model_on(project, ids)
    hidden = blind_selectors.hidden_items(viewer, role, project, ids)
    under_way = review_selectors.open_on(project, ids)
    return [
        Row(
            waiting=one,
            prompt=prompts.get(one.item_id, ""),
            badges=tuple(
                badges(project, one, votes.get(one.item_id), odds.get(one.item_id), one.item_id in hidden)
            ),
            at_it=under_way.get(one.item_id),
        )
        for one in waiting
    ]


def badges(
    project: Project, one: Waiting, votes: DisputedItem | None, odds: ModelOdds | None, hidden: bool
) -> list[Badge]:
    found = []
    if one.flags:
        found.append(
            Badge(ngettext("%s person flagged it", "%s people flagged it", one.flags) % one.flags, "bad")
        )
    if votes is not None and votes.entropy > 0:
        found.append(Badge(_differ(project, votes, hidden), "warn"))
    if votes is not None and votes.votes < FEW:
        found.append(Badge(_("one vote only")))
    if one.odds:
        found.append(
            Badge(_("the model sees it differently") if hidden or odds is None else says(odds), "info")
        )
    return found


def past(project: Project, viewer: User, role: Role | None) -> list[Past]:
    """The latest decisions; those on what the viewer may still judge are hidden."""
    found = review_selectors.decided(project)
    ids = [review.item_id for review in found]
    hidden = blind_selectors.hidden_items(viewer, role, project, ids)
    prompts = review_selectors.prompts_of(project, ids)
    return [
        Past(
            review=review,
            prompt=prompts.get(review.item_id, ""),
            decision="" if review.item_id in hidden else told(project, review.decision),
            hidden=review.item_id in hidden,
        )
        for review in found
    ]


def told(project: Project, answers: Sequence[dict[str, object]]) -> str:
    """What a review keeps, in words."""
    plain = [Given.from_json(one) for one in answers]
    return in_words({answer.criterion: answer for answer in plain}, project.criterion_names)


def _differ(project: Project, votes: DisputedItem, hidden: bool) -> str:
    if hidden:
        return _("people differ")
    if project.kind == Project.Kind.RATING:
        return _("ratings %s points apart") % f"{votes.entropy:.1f}"
    split = f"{votes.a} : {votes.tie} : {votes.b}"
    if project.kind == Project.Kind.PAIRWISE:
        return _("people differ, %s") % split
    return _("people differ on %(pair)s, %(split)s") % {"pair": votes.pair, "split": split}


def says(odds: ModelOdds) -> str:
    share, choice = max((odds.p_a, "a"), (odds.p_tie, "tie"), (odds.p_b, "b"))
    return _("the model (%(source)s): %(answer)s, %(share)s") % {
        "source": odds.source or _("an earlier one"),
        "answer": CHOICES[choice],
        "share": f"{100 * share:.0f} %",
    }


def checked_in_words(rate: spot_check_selectors.ErrorRate) -> str:
    """What the error rate rests on."""
    return ngettext("of %s label seen again", "of %s labels seen again", rate.checked) % rate.checked
