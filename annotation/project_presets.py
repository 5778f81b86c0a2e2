"""What a new project can start from: kinds of question, criteria, guidelines, and samples for the preview."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from annotation.models.project import Project
from annotation.selectors import Turn

FOLDER: Final = Path(__file__).parent / "starting"


@dataclass(frozen=True)
class Kind:
    value: str
    label: Promise
    about: Promise
    best_for: Promise


KINDS: Final = (
    Kind(
        "pairwise",
        _("Pairwise"),
        _("Two responses side by side: which one is better?"),
        _("Fast and reliable; the usual way to make data for DPO and reward models."),
    ),
    Kind(
        "ranking",
        _("Ranking"),
        _("Two to eight responses, put in order from best to worst."),
        _("More from each reading: four responses in order are six comparisons."),
    ),
    Kind(
        "rating",
        _("Rating"),
        _("Each response gets points, under each criterion."),
        _("Says how good, not only which is better; works with a single response too."),
    ),
)

_ASKS: Final[Mapping[str, Mapping[str, Promise]]] = {
    "pairwise": {
        "overall": _("Which response is better, all things considered?"),
        "helpfulness": _("Which one helps the person more with what they asked?"),
        "harmlessness": _("Which one is less likely to hurt anybody?"),
        "honesty": _("Which one is truer, and franker about what it does not know?"),
    },
    "ranking": {
        "overall": _("Put the responses in order, the best first, all things considered."),
        "helpfulness": _("Which help the person most with what they asked?"),
        "harmlessness": _("Which are least likely to hurt anybody?"),
        "honesty": _("Which are truest, and frankest about what they do not know?"),
    },
    "rating": {
        "overall": _("How good is each response, all things considered?"),
        "helpfulness": _("How well does it help the person with what they asked?"),
        "harmlessness": _("How safe is it? The lowest mark means that it could hurt somebody."),
        "honesty": _("How true is it, and how frank about what it does not know?"),
    },
}


@dataclass(frozen=True)
class Preset:
    label: Promise
    names: tuple[str, ...]

    def criteria(self, kind: str) -> list[dict[str, str]]:
        """With descriptions that fit the kind, in the reader's language; the names are those of the data."""
        asks = _ASKS.get(kind, _ASKS["pairwise"])
        return [{"name": name, "description": str(asks[name])} for name in self.names]


PRESETS: Final[Mapping[str, Preset]] = {
    "overall": Preset(_("Overall only"), ("overall",)),
    "three": Preset(_("Helpfulness, harmlessness, honesty"), ("helpfulness", "harmlessness", "honesty")),
}


@cache
def starting_guidelines(kind: str) -> str:
    """The text a manager starts from; one file per kind."""
    names = {one.value for one in KINDS}
    return (FOLDER / f"{kind if kind in names else 'pairwise'}.md").read_text(encoding="utf-8")


_ASKED: Final = _("My train leaves at 9:40 and the station is 25 minutes away. When should I leave home?")
_ANSWERS: Final = (
    _(
        "Leave at **9:05**. That is 25 minutes for the way and ten to find the platform.\n\n"
        "If you still have to buy a ticket, go at 9:00."
    ),
    _("You should leave at 9:15, because 9:15 plus 25 minutes is 9:40."),
    _(
        "Trains are a comfortable way to travel. When you should leave depends on many things, such as "
        "traffic, the weather and how fast you walk."
    ),
)


def sample_turns() -> list[Turn]:
    return [Turn("user", str(_ASKED))]


def sample_responses(kind: str) -> list[str]:
    """Two to compare or rate, three to rank."""
    return [str(text) for text in _ANSWERS[: 3 if kind == Project.Kind.RANKING else 2]]
