"""Why each pair of a batch was chosen: plain words beside the figures, its kind, and what it is like."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from activelearning import presentation, survey_selectors
from activelearning.models import SelectedPair, SelectionBatch
from activelearning.pages.coverage import excerpt, kind_names
from activelearning.pages.said import in_words
from activelearning.presentation import ShownPair
from activelearning.survey_selectors import LabelledPair, Pair
from annotation.charts import decimal

CLOSE, SURE = 0.1, 0.4  # of a chance from one half


@dataclass(frozen=True)
class Alike:
    """A judged pair much like the chosen one, and what people said of it."""

    item_id: int
    prompt: str
    similarity: str
    said: str


@dataclass(frozen=True)
class Kind:
    number: int
    name: str


@dataclass(frozen=True)
class Explained:
    """why: the explanation. leaning: what the model says, in a sentence, or nothing. words: all of it, with
    how sure."""

    shown: ShownPair
    why: str
    leaning: str
    words: tuple[str, ...]
    kind: Kind | None
    alike: tuple[Alike, ...]


def explained(batch: SelectionBatch, pairs: Iterable[SelectedPair]) -> list[Explained]:
    """`pairs` come from `selectors.pairs_of`."""
    pairs = list(pairs)
    kinds = survey_selectors.kinds_of(batch) if any(pair.cluster is not None for pair in pairs) else []
    names = kind_names(batch, kinds) if kinds else []
    judged = survey_selectors.labelled_pairs(batch.project, pairs) if any(
        pair.neighbours for pair in pairs
    ) else {}  # fmt: skip
    return [
        Explained(
            presentation.shown(pair),
            " ".join(in_words(pair.said)) or pair.explanation,
            _leaning(pair.scores),
            tuple(_words(pair.scores, pair.propensity)),
            _kind(pair.cluster, names),
            tuple(_alike(pair, judged)),
        )
        for pair in pairs
    ]


def _kind(cluster: int | None, names: Sequence[tuple[str, ...]]) -> Kind | None:
    if cluster is None or not 0 <= cluster < len(names):
        return None
    return Kind(cluster + 1, names[cluster][0])


def _alike(pair: SelectedPair, judged: Mapping[Pair, LabelledPair]) -> Iterable[Alike]:
    """Those that are still labelled, most alike first."""
    for one in pair.neighbours:
        found = judged.get(frozenset((int(one["response_a"]), int(one["response_b"]))))
        if found is not None:
            share, similarity = float(one["a_share"]), f"{100 * float(one['similarity']):.0f} %"
            yield Alike(found.item_id, excerpt(found.prompt), similarity, _said(share, found.votes))


def _said(a_share: float, votes: int) -> str:
    counted = ngettext("%(n)d vote", "%(n)d votes", votes) % {"n": votes}
    if abs(a_share - 0.5) < 1e-6:
        return _("people were divided (%(votes)s)") % {"votes": counted}
    side, share = ("A", a_share) if a_share > 0.5 else ("B", 1 - a_share)
    words = {"share": f"{100 * share:.0f} %", "side": side, "votes": counted}
    return _("%(share)s for the side like %(side)s (%(votes)s)") % words


def _words(scores: Mapping[str, float | None], propensity: float | None) -> Iterable[str]:
    if (chance := scores.get("probability")) is not None:
        yield f"{_leaning(scores)} {_range(chance, scores.get('deviation'))}".strip()
    if propensity is not None:
        yield _("Chance of being drawn: %(chance)s %%.") % {"chance": _small(100 * propensity)}


def _leaning(scores: Mapping[str, float | None]) -> str:
    if (chance := scores.get("probability")) is None:
        return ""
    side, share = ("A", chance) if chance >= 0.5 else ("B", 1 - chance)
    words = {"side": side, "share": f"{100 * share:.0f} %"}
    if share - 0.5 < CLOSE:
        return _("The model cannot tell which is better (%(side)s: %(share)s).") % words
    if share - 0.5 < SURE:
        return _("The model leans to %(side)s (%(share)s).") % words
    return _("The model is nearly certain of %(side)s (%(share)s).") % words


def _range(chance: float, deviation: float | None) -> str:
    if deviation is None:
        return ""
    share = max(chance, 1 - chance)
    logit = math.log(max(share, 1e-9) / max(1 - share, 1e-9))
    low, high = (f"{100 / (1 + math.exp(-(logit + step))):.0f} %" for step in (-deviation, deviation))
    return _("From %(low)s to %(high)s would fit what it knows.") % {"low": low, "high": high}


def _small(percent: float) -> str:
    return decimal(percent, 0 if percent >= 10 else 1 if percent >= 1 else 3)
