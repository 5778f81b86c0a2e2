"""What the leaderboard says, made from the ratings: rows, drawn intervals, who beats whom, words."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import urlencode

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotation.charts import Whisker, decimal, thousands
from annotation.models.project import Project
from rewardmodel.evaluation.leaderboard import Leaderboard, Rated
from rewardmodel.evaluation.model_ratings import ELO
from rewardmodel.evaluation.style import CONTROLS
from rewardmodel.pages import charts
from rewardmodel.services.rating import ModelRatings

MOST_ROWS = 200  # models in the table; the downloads have all
MOST_CELLS = 25  # models on each side of the table of win rates
BOUNDS = (0.2, 0.35, 0.45, 0.55, 0.65, 0.8)  # where each colour of a win rate but the first begins

CONTROL_WORDS: dict[str, tuple[Promise, Promise]] = {
    "raw": (gettext_lazy("Raw"), gettext_lazy("As people voted, length and looks included.")),
    "length": (
        gettext_lazy("Equal length"),
        gettext_lazy("What is left of each model's lead when both responses are equally long."),
    ),
    "style": (
        gettext_lazy("Equal style"),
        gettext_lazy(
            "What is left of each model's lead when both responses are equally long and have as many "
            "headings, list items, bold passages and code blocks."
        ),
    ),
}
FEATURE_WORDS: dict[str, Promise] = {
    "log_length": gettext_lazy("Length"),
    "headings": gettext_lazy("Headings"),
    "list_items": gettext_lazy("List items"),
    "bold": gettext_lazy("Bold passages"),
    "code": gettext_lazy("Code blocks"),
}
LEFT_OUT_WORDS: dict[str, Promise] = {
    "a response without a model name": gettext_lazy("A response without a model name"),
    "both responses by the same model": gettext_lazy("Both responses by the same model"),
    "only votes that weigh nothing": gettext_lazy("Only votes that weigh nothing"),
}


@dataclass(frozen=True)
class Option:
    """One way to look at it, as a link."""

    label: str
    url: str
    chosen: bool


@dataclass(frozen=True)
class Row:
    model: str
    rank: str
    ranks: str
    rating: str
    interval: str
    whisker: Whisker
    raw: str  # beside a controlled rating: the raw one, with how many ranks the model moves
    moved: int
    votes: str
    pairs: str
    won: str
    field: str
    bounded: bool
    group: int

    @property
    def fallen(self) -> int:
        return -self.moved


@dataclass(frozen=True)
class Cell:
    text: str
    step: int | None = None
    title: str = ""


@dataclass(frozen=True)
class WinRates:
    names: tuple[str, ...]
    lines: tuple[tuple[str, tuple[Cell, ...]], ...]
    key: tuple[tuple[int, str], ...]
    left_out: int


@dataclass(frozen=True)
class Effect:
    feature: str
    points: str
    interval: str


@dataclass(frozen=True)
class Page:
    """board: None where nothing can be rated; `models` then tells why."""

    board: Leaderboard | None
    models: int
    controls: tuple[Option, ...]
    about: str
    criteria: tuple[Option, ...]
    categories: tuple[Option, ...]
    rows: tuple[Row, ...]
    ticks: tuple[charts.Tick, ...]
    hidden: int
    win_rates: WinRates | None
    effects: tuple[Effect, ...]
    left_out: tuple[tuple[str, str], ...]
    query: str
    controlled: bool
    counts: dict[str, str]


def page_of(project: Project, found: ModelRatings, raw: ModelRatings) -> Page:
    """`raw`: the same without control, to stand beside it."""
    board = found.board
    asked = {"criterion": found.criterion, "category": found.category, "control": found.control}
    rows, ticks = _rows(board, raw.board or board) if board else ((), ())
    return Page(
        board=board,
        models=len(found.models),
        controls=tuple(
            Option(str(CONTROL_WORDS[name][0]), _query(asked, control=name), name == found.control)
            for name in CONTROLS
        ),
        about=str(CONTROL_WORDS[found.control][1]),
        criteria=_criteria(project, asked),
        categories=_categories(found, asked),
        rows=rows,
        ticks=ticks,
        hidden=max(0, len(board.rated) - MOST_ROWS) if board else 0,
        win_rates=_win_rates(board) if board else None,
        effects=_effects(board) if board else (),
        left_out=tuple(
            (str(LEFT_OUT_WORDS[reason]), thousands(count))
            for reason, count in found.left_out.items()
            if count
        ),
        query=_query(asked),
        controlled=found.control != "raw",
        counts={
            "models": thousands(len(board.rated)),
            "pairs": thousands(board.pairs),
            "prompts": thousands(board.prompts),
            "votes": thousands(round(board.votes)),
        }
        if board
        else {},
    )


def _query(asked: dict[str, str | None], **other: str | None) -> str:
    return "?" + urlencode({key: value for key, value in {**asked, **other}.items() if value is not None})


def _criteria(project: Project, asked: dict[str, str | None]) -> tuple[Option, ...]:
    if len(project.criterion_names) < 2:
        return ()
    return tuple(
        Option(name, _query(asked, criterion=name), name == asked["criterion"])
        for name in project.criterion_names
    )


def _categories(found: ModelRatings, asked: dict[str, str | None]) -> tuple[Option, ...]:
    if len(found.categories) < 2:
        return ()
    everything = Option(_("All"), _query(asked, category=None), found.category is None)
    return (
        everything,
        *(
            Option(name or _("without category"), _query(asked, category=name), name == found.category)
            for name in found.categories
        ),
    )


def _rows(board: Leaderboard, raw: Leaderboard) -> tuple[tuple[Row, ...], tuple[charts.Tick, ...]]:
    shown = board.rated[:MOST_ROWS]
    before = {one.model: one for one in raw.rated}
    at, ticks = charts.span(
        min(one.low for one in shown), max(one.high for one in shown), width=WHISKER, edge=EDGE
    )
    return tuple(_row(one, before[one.model], at) for one in shown), ticks


WHISKER, EDGE = 220.0, 10.0  # the canvas of a drawn interval


def _row(one: Rated, raw: Rated, at: charts.Scale) -> Row:
    return Row(
        model=one.model,
        rank=thousands(one.rank),
        ranks=thousands(one.rank_low)
        if one.rank_low == one.rank_high
        else f"{thousands(one.rank_low)}–{thousands(one.rank_high)}",
        rating=_points(one.rating),
        interval=_("%(low)s to %(high)s") % {"low": _points(one.low), "high": _points(one.high)},
        whisker=Whisker(*(f"{at(value):.1f}" for value in (one.rating, one.low, one.high))),
        raw=_points(raw.rating),
        moved=raw.rank - one.rank,
        votes=thousands(round(one.votes)),
        pairs=thousands(one.pairs),
        won=_percent(one.won),
        field=_percent(one.field),
        bounded=one.bounded,
        group=one.group + 1,
    )


def _win_rates(board: Leaderboard) -> WinRates:
    names = tuple(one.model for one in board.rated[:MOST_CELLS])
    lines = tuple(
        (name, tuple(_cell(board, names, row, column) for column in range(len(names))))
        for row, name in enumerate(names)
    )
    return WinRates(names, lines, _key(), len(board.rated) - len(names))


def _cell(board: Leaderboard, names: Sequence[str], row: int, column: int) -> Cell:
    if row == column:
        return Cell("")
    if board.rated[row].group != board.rated[column].group:
        return Cell("–", title=_("never met, not even through others"))
    share, met = float(board.expected[row, column]), float(board.met[row, column])
    title = _("%(one)s against %(other)s: %(share)s expected") % {
        "one": names[row], "other": names[column], "share": _percent(share),
    }  # fmt: skip
    if met > 0:
        told = _("%(share)s of %(votes)s votes") % {
            "share": _percent(float(board.scored[row, column]) / met), "votes": thousands(round(met)),
        }  # fmt: skip
    else:
        told = _("never compared directly")
    return Cell(_percent(share), 1 + sum(share >= bound for bound in BOUNDS), f"{title}; {told}")


def _key() -> tuple[tuple[int, str], ...]:
    least = _("below %(value)s") % {"value": _percent(BOUNDS[0])}
    inner = [f"{_percent(low)}–{_percent(high)}" for low, high in pairwise(BOUNDS)]
    return tuple(
        enumerate((least, *inner, _("%(value)s or more") % {"value": _percent(BOUNDS[-1])}), start=1)
    )


def _effects(board: Leaderboard) -> tuple[Effect, ...]:
    return tuple(
        Effect(
            str(FEATURE_WORDS[one.feature]),
            _signed(one.elo),
            _("%(low)s to %(high)s") % {"low": _signed(ELO * one.low), "high": _signed(ELO * one.high)},
        )
        for one in board.coefficients
        if one.error > 0  # else no response has any
    )


def _points(value: float) -> str:
    return thousands(round(value))


def _signed(value: float) -> str:
    text = decimal(value, 1)
    return f"+{text}" if value > 0 and text != "0" else text


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
