"""An item as a page shows it: what is asked, the responses, the controls as they are filled in.

The judging page, practice, gold and the preview render a `Sheet` with the templates in annotation/sheet/. Its
controls belong to the form with the id "answer" and carry the names of `annotation.answer_form`.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotation.answer_form import Entered
from annotation.answer_words import CHOICES, LETTERS, choices_of
from annotation.models.project import Project

EXCERPT: Final = 64  # characters of a response on its card in a ranking; the whole stands above

QUESTIONS: Final[dict[str, Promise]] = {
    "pairwise": gettext_lazy("Which response is better?"),
    "ranking": gettext_lazy("Rank the responses, the best first"),
    "rating": gettext_lazy("Rate the responses"),
}
SPEAKERS: Final[dict[str, Promise]] = {
    "user": gettext_lazy("User"),
    "assistant": gettext_lazy("Assistant"),
    "system": gettext_lazy("System instruction"),
}
BRIEF: Final[dict[str, Promise]] = {  # where there is little room
    "a-3": gettext_lazy("A much better"),
    "a-2": gettext_lazy("A better"),
    "a-1": gettext_lazy("A slightly better"),
    "a": gettext_lazy("A"),
    "b": gettext_lazy("B"),
    "tie": gettext_lazy("Tie"),
    "b-1": gettext_lazy("B slightly better"),
    "b-2": gettext_lazy("B better"),
    "b-3": gettext_lazy("B much better"),
    "both_bad": gettext_lazy("Both bad"),
}
_MARKUP: Final = re.compile(
    r"^\s*(?:#{1,6}|>|[-*+]|\d+[.)])\s+|[*_`~|]{1,3}|\[([^\]]*)\]\([^)]*\)", re.MULTILINE
)


class SaidBy(Protocol):
    """One turn of a conversation."""

    @property
    def role(self) -> str: ...
    @property
    def content(self) -> str: ...


@dataclass(frozen=True)
class ShownTurn:
    kind: str
    label: str
    content: str


@dataclass(frozen=True)
class ShownResponse:
    number: int  # from 0, as shown
    letter: str  # a … h, for class names and ids
    name: str  # A … H
    label: str
    text: str
    excerpt: str


@dataclass(frozen=True)
class Option:
    """One value a control can take."""

    value: str
    label: str
    brief: str
    key: int  # its number key
    checked: bool


@dataclass(frozen=True)
class Row:
    """The controls of one response under one criterion of a ranking or rating."""

    response: ShownResponse
    name: str
    value: str
    options: tuple[Option, ...]


@dataclass(frozen=True)
class Criterion:
    number: int
    name: str
    description: str
    field: str  # of a pair's choice
    options: tuple[Option, ...] = ()  # of a pair
    rows: tuple[Row, ...] = ()  # of a ranking or rating


@dataclass(frozen=True)
class Reason:
    text: str
    checked: bool


@dataclass(frozen=True)
class Sheet:
    kind: str
    question: str
    ties: bool
    points: int
    turns: tuple[ShownTurn, ...]
    responses: tuple[ShownResponse, ...]
    criteria: tuple[Criterion, ...]
    reasons: tuple[Reason, ...]
    comment: str
    spans: str  # JSON
    blank: bool  # nothing is entered yet

    @property
    def several(self) -> bool:
        """Whether criteria need their names."""
        return len(self.criteria) > 1

    @property
    def explained(self) -> bool:
        """Whether a reason, a comment or a marked place is entered."""
        return bool(self.comment or self.spans != "[]" or any(reason.checked for reason in self.reasons))

    @property
    def controls(self) -> str:
        """What its controls depend on: blank sheets with the same have the same, but for rankings."""
        return repr((self.kind, self.question, self.ties, self.points, len(self.responses), self.criteria))

    @property
    def layout(self) -> str:
        """Where the controls stand on a wide screen: in a bar below, or in a column beside the responses."""
        flat = self.kind == "rating" and len(self.responses) <= 3 and len(self.criteria) <= 3
        return "bar" if self.kind == "pairwise" or flat else "side"


def build(
    project: Project, turns: Sequence[SaidBy], texts: Sequence[str], entered: Entered | None = None
) -> Sheet:
    """`texts` are the responses in the order they are shown; `entered` is in the same terms."""
    entered = entered or Entered()
    responses = tuple(
        ShownResponse(number, LETTERS[number].lower(), LETTERS[number], _label(number), text, excerpt(text))
        for number, text in enumerate(texts)
    )
    criteria = tuple(
        _criterion(project, number, criterion, responses, entered)
        for number, criterion in enumerate(project.criteria)
    )
    only = criteria[0].description if len(criteria) == 1 else ""
    offered = dict.fromkeys(
        [*project.reasons, *entered.reasons]
    )  # one that was taken out since stays undoable
    return Sheet(
        kind=project.kind,
        question=only or str(QUESTIONS[project.kind]),
        ties=project.ties,
        points=project.rating_points,
        turns=_turns(turns),
        responses=responses,
        criteria=criteria,
        reasons=tuple(Reason(text, text in entered.reasons) for text in offered),
        comment=entered.comment,
        spans=json.dumps(list(entered.spans)),
        blank=entered == Entered(),
    )


def excerpt(text: str) -> str:
    """The first words without markup, with an ellipsis where they are not all."""
    plain = " ".join(_MARKUP.sub(r"\1", text[: EXCERPT * 6]).split())
    if len(plain) <= EXCERPT and len(text) <= EXCERPT * 6:
        return plain
    return plain[:EXCERPT].rsplit(" ", 1)[0].rstrip(" .,;:") + " …"


def _label(number: int) -> str:
    return _("Response %s") % LETTERS[number]


def _criterion(
    project: Project,
    number: int,
    criterion: dict[str, str],
    responses: Sequence[ShownResponse],
    entered: Entered,
) -> Criterion:
    name, description = criterion["name"], criterion.get("description", "")
    field = f"choice-{number}"
    if project.kind == Project.Kind.PAIRWISE:
        options = _choices(project, entered.fields.get(field, ""))
        return Criterion(number, name, description, field, options=options)
    kind = "rank" if project.kind == Project.Kind.RANKING else "rating"
    most = len(responses) if kind == "rank" else project.rating_points
    rows = []
    for response in responses:
        control = f"{kind}-{number}-{response.number}"
        value = entered.fields.get(control, "")
        rows.append(Row(response, control, value, _numbers(most, value)))
    return Criterion(number, name, description, "", rows=tuple(rows))


def _choices(project: Project, chosen: str) -> tuple[Option, ...]:
    return tuple(
        Option(value, str(CHOICES[value]), str(BRIEF[value]), key, value == chosen)
        for key, value in enumerate(choices_of(project.question), start=1)
    )


def _numbers(most: int, chosen: str) -> tuple[Option, ...]:
    return tuple(
        Option(str(number), str(number), str(number), number, str(number) == chosen)
        for number in range(1, most + 1)
    )


def _turns(turns: Sequence[SaidBy]) -> tuple[ShownTurn, ...]:
    """The conversation with a heading for each turn; a single question is simply the prompt."""
    spoken = sum(turn.role != "system" for turn in turns)
    last = _("Prompt") if spoken == 1 else _("User, to be answered")
    return tuple(
        ShownTurn(
            turn.role,
            last if number == len(turns) else str(SPEAKERS.get(turn.role, turn.role)),
            turn.content,
        )
        for number, turn in enumerate(turns, start=1)
    )
