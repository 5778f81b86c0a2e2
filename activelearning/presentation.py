"""Where the loop is, and why a pair was chosen, in the words and figures of the pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from activelearning import selectors
from activelearning.models import LoopPolicy, LoopTurn, SelectedPair
from activelearning.services import looping, policies
from annotation import charts
from annotation.charts import Segment
from annotation.models.project import Project
from rewardmodel.models import Ensemble

SERIES = {  # colours of the design system: what decides, what varies, what is random, what measures
    **dict.fromkeys(("regret", "i_optimal", "uncertainty", "disagreement", "margin", "bald", "power"), 1),
    **dict.fromkeys(("d_optimal", "bal_pm", "k_centre", "cluster", "badge", "diversity"), 3),
    "error": 2,
    "repeat": 2,
    "random": 4,
    "audit": 5,
}


@dataclass(frozen=True)
class LoopState:
    """Where the loop is: what scores, what is under way, how far to the next turn."""

    policy: LoopPolicy
    until_next: int
    turns: list[LoopTurn]
    ensemble: Ensemble | None

    @cached_property
    def under_way(self) -> LoopTurn | None:
        """The open turn: there is at most one, and it is the newest."""
        return self.turns[0] if self.turns and self.turns[0].state in looping.OPEN else None

    @property
    def accuracy(self) -> dict[str, float]:
        """Of the active ensemble on held-out pairs, with its interval; empty where it was not measured."""
        metrics = (self.ensemble.run.metrics or {}) if self.ensemble else {}
        found: dict[str, float] = metrics.get("accuracy") or {}
        return found if found.get("value") is not None else {}

    @property
    def gathered(self) -> int:
        """Judgments since the last turn, as far as they count towards the next one."""
        return max(0, self.policy.retrain_every - self.until_next)


def loop_of(project: Project) -> LoopState:
    return LoopState(
        policy=policies.policy_of(project),
        until_next=looping.judgments_until_next(project),
        turns=selectors.turns_of(project),
        ensemble=selectors.active_ensemble(project),
    )


@dataclass(frozen=True)
class Score:
    label: Promise
    text: str
    meaning: Promise


@dataclass(frozen=True)
class ShownPair:
    """others: letters and texts of the responses beside A and B, where these are ranked or rated together."""

    pair: SelectedPair
    series: int
    prompt: str  # its last turn
    scores: tuple[Score, ...]
    votes: int
    done: bool
    others: tuple[tuple[str, str], ...] = ()


def shown(pair: SelectedPair) -> ShownPair:
    """`pair` comes from `selectors.pairs_of`."""
    return ShownPair(
        pair=pair,
        series=SERIES[pair.reason],
        prompt=str(pair.item.prompt.messages[-1]["content"]),
        scores=_scores(pair.scores, pair.propensity),
        votes=pair.votes,  # type: ignore[attr-defined]  # annotated
        done=pair.item.slots_left == 0,
        others=_others(pair) if pair.batch.project.kind != Project.Kind.PAIRWISE else (),
    )


def _others(pair: SelectedPair) -> tuple[tuple[str, str], ...]:
    """In the item's order, from C on."""
    two = (pair.response_a_id, pair.response_b_id)
    texts = [one.response.text for one in pair.item.item_responses.all() if one.response_id not in two]
    return tuple((chr(ord("C") + place), text) for place, text in enumerate(texts))


def quota_bar(quotas: Mapping[str, int]) -> tuple[Segment, ...]:
    reasons = dict(SelectedPair.Reason.choices)
    shown = [(gettext(str(reasons[key])), count, SERIES[key]) for key, count in quotas.items() if count]
    return charts.stacked(shown)


def _scores(scores: Mapping[str, float | None], propensity: float | None) -> tuple[Score, ...]:
    """Those that were computed; a cold start has none."""
    found = []
    if (disagreement := scores.get("disagreement")) is not None:
        spread = number_format(round(disagreement**0.5, 2), 2)
        found.append(
            Score(_("Disagreement"), spread, _("How far the models part on the difference, in logits."))
        )
    if (margin := scores.get("margin")) is not None:
        found.append(
            Score(_("Margin"), number_format(round(margin, 2), 2), _("The predicted difference, in logits."))
        )
    if (probability := scores.get("probability")) is not None:
        found.append(
            Score(_("A better"), f"{100 * probability:.0f} %", _("Predicted chance that A is better."))
        )
    if (gain := scores.get("gain")) is not None:
        found.append(
            Score(_("Gain"), number_format(round(gain, 3), 3), _("What an answer tells the model, in nats."))
        )
    if (error := scores.get("expected_error")) is not None:
        found.append(
            Score(
                _("Expected error"),
                number_format(round(error, 2), 2),
                _("The model's loss on similar judged pairs, in nats."),
            )
        )
    if propensity is not None:
        found.append(Score(_("Chance"), f"{propensity:.2g}", _("With which this pair was to be drawn.")))
    return tuple(found)
