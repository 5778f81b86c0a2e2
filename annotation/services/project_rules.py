"""What the settings of a project may be, and which of them answers that were given have fixed."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotation.answering.answer import FEWEST, MOST, Question
from annotation.models.project import Project
from annotation.project_selectors import MANY, Answered, what_is_asked

MOST_CRITERIA = 8
MOST_REASONS = 20
LONGEST_NAME = 60  # of a criterion and of a reason
LONGEST_DESCRIPTION = 300
HEAVIEST = 100  # of a criterion
LONGEST_LEASE = 7 * 24 * 3600


class InvalidProject(ValueError):
    """The project cannot be created or changed as asked; the message says what to do."""


def check(project: Project) -> None:
    """Raises `InvalidProject` for settings that no project may have, with or without answers."""
    project.criteria = tidy_criteria(project.criteria)
    project.reasons = _tidy_reasons(project.reasons)
    if project.rating_points not in (5, 7):
        raise InvalidProject(_("A rating has 5 or 7 points."))
    if not 0 <= project.gold_rate <= 1:
        raise InvalidProject(_("The share of gold items is between 0 and 100 percent."))
    if not 0 <= project.repeat_rate <= 0.5:
        raise InvalidProject(_("The share of silent repeats is between 0 and 50 percent."))
    if not 0 <= project.spot_check_rate <= 1:
        raise InvalidProject(_("The share of spot checks is between 0 and 100 percent."))
    if not 1 <= project.expert_weight <= 100:
        raise InvalidProject(_("A reviewer’s decision counts as 1 to 100 votes."))
    if not 30 <= project.lease_seconds <= LONGEST_LEASE:
        raise InvalidProject(_("An item is reserved for half a minute at least and a week at most."))
    try:
        project.full_clean()
    except ValidationError as error:
        raise InvalidProject(_in_words(error)) from error


def tidy_criteria(criteria: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Criteria with a name each, none twice, and the weights that are given. Raises `InvalidProject`."""
    tidy: list[dict[str, Any]] = [
        {
            "name": _line(criterion.get("name", ""), LONGEST_NAME),
            "description": _line(criterion.get("description", ""), LONGEST_DESCRIPTION),
            **_weight(criterion.get("weight")),
        }
        for criterion in criteria
    ]
    names = [criterion["name"].casefold() for criterion in tidy]
    if not names or not all(names):
        raise InvalidProject(_("A project needs at least one criterion, and each of them a name."))
    if len(names) > MOST_CRITERIA:
        raise InvalidProject(
            _("A project has at most %(most)s criteria: each is one more answer per item.")
            % {"most": MOST_CRITERIA}
        )
    if len(set(names)) < len(names):
        raise InvalidProject(_("Two criteria have the same name: give each its own."))
    if not any(criterion.get("weight", 1) for criterion in tidy):
        raise InvalidProject(_("At least one criterion must count: give it a weight above 0."))
    return tidy


def _weight(given: Any) -> dict[str, float]:
    """Nothing where none is given. Raises `InvalidProject`."""
    if given is None or given == "":
        return {}
    try:
        weight = float(given)
    except (TypeError, ValueError):
        weight = -1.0
    if not 0 <= weight <= HEAVIEST:
        raise InvalidProject(
            _("The weight of a criterion is a number from 0 to %(most)s.") % {"most": HEAVIEST}
        )
    return {"weight": int(weight) if weight.is_integer() else weight}


def may_become(before: Project, after: Project, given: Answered) -> None:
    """Raises `InvalidProject` if the question changes and answers that were given would no longer fit it."""
    if not given or not asks_anew(before.question, after.question):
        return
    reason = _("because %(answers)s were given under it.") % {"answers": counted(given)}
    raise InvalidProject(f"{_what_is_fixed(before.question, after.question)} {reason} {_instead()}")


def asks_anew(before: Question, after: Question) -> bool:
    """Whether an answer to the one question may be none to the other, or mean something else.

    Offering ties or “both are bad” from now on leaves every earlier answer what it was.
    """
    loosened = Question(
        kind=before.kind,
        criteria=before.criteria,
        ties=before.ties or after.ties,
        both_bad=before.both_bad or after.both_bad,
        strength=before.strength,
        points=before.points,
    )
    return what_is_asked(loosened) != what_is_asked(after)


def check_items_fit(project: Project, fewest: int, most: int) -> None:
    """Raises `InvalidProject` if items with so many responses, at least and at most, do not fit the kind."""
    if fewest < FEWEST[project.kind] or most > MOST[project.kind]:
        raise InvalidProject(
            _(
                "The kind cannot change: this project holds items with %(fewest)s to %(most)s responses, "
                "and this kind takes %(least)s to %(limit)s. Start a new project and import the file there."
            )
            % {
                "fewest": fewest,
                "most": most,
                "least": FEWEST[project.kind],
                "limit": MOST[project.kind],
            }
        )


def _what_is_fixed(before: Question, after: Question) -> str:
    if before.kind != after.kind:
        return _("The kind of question cannot change any more,")
    if set(before.criteria) - set(after.criteria):
        return _("A criterion can no longer be renamed or taken away,")
    if set(after.criteria) - set(before.criteria):
        return _("A criterion can no longer be added,")
    if before.criteria != after.criteria:
        return _("The order of the criteria is fixed,")
    if before.points != after.points and after.kind == "rating":
        return _("The number of rating points is fixed,")
    if before.strength != after.strength and after.kind == "pairwise":
        return _("The strength scale can no longer be switched on or off,")
    if before.ties and not after.ties:
        return _("Ties can no longer be switched off,")
    return _("“Both are bad” can no longer be switched off,")


def _instead() -> str:
    return _("Ask the changed question in a new project, with the same import file.")


def counted(given: Answered) -> str:
    """How much has been answered, in words."""
    if given.judgments > MANY:
        judgments = _("more than %(n)s judgments") % {"n": MANY}
    else:
        judgments = ngettext("%(n)s judgment", "%(n)s judgments", given.judgments)
    parts = [
        (given.judgments, judgments),
        (given.gold, ngettext("%(n)s gold answer", "%(n)s gold answers", given.gold)),
        (given.practice, ngettext("%(n)s practice answer", "%(n)s practice answers", given.practice)),
    ]
    return ", ".join(words % {"n": count} for count, words in parts if count)


def _tidy_reasons(reasons: Sequence[str]) -> list[str]:
    tidy = list(dict.fromkeys(line for reason in reasons if (line := _line(reason, LONGEST_NAME))))
    if len(tidy) > MOST_REASONS:
        raise InvalidProject(
            _("There are %(n)s reasons; people look through at most %(most)s.")
            % {"n": len(tidy), "most": MOST_REASONS}
        )
    return tidy


def _line(text: object, longest: int) -> str:
    """One printable line. What a database cannot hold, and what would break a line, is no part of a name."""
    shown = str(text).encode("utf-8", "replace").decode()
    line = " ".join("".join(c if c.isprintable() else " " for c in shown).split())
    if len(line) > longest:
        raise InvalidProject(
            _("“%(start)s…” has %(n)s characters; shorten it to %(most)s.")
            % {"start": line[:40], "n": len(line), "most": longest}
        )
    return line


def _in_words(error: ValidationError) -> str:
    """Each complaint with the setting it is about, where there is one."""
    if not hasattr(error, "error_dict"):
        return "; ".join(error.messages)
    labels = {field.name: str(field.verbose_name) for field in Project._meta.fields}
    return "; ".join(
        f"{labels.get(name, name)}: {message}" if name in labels else message
        for name, messages in error.message_dict.items()
        for message in messages
    )
