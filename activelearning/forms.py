"""What the page of the next batch accepts."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from activelearning.acquisition.quotas import RECIPES
from activelearning.models import LoopPolicy
from annotation.models.project import MOST_VOTES, Project

SAID = {  # of each recipe, in one line
    "regret": _(
        "What would decide most winners among the pairs the model will meet. The default: on real votes it "
        "needed 60 labels where chance needed 100, on new pairs of known responses (benchmarks/active)."
    ),
    "i-optimal": _("What makes the model surest of the pairs it will meet, close or not."),
    "d-optimal": _("What is least like anything that is labelled."),
    "bal-pm": _("Answers that tell most, on kinds of prompts with few labels."),
    "mixed": _("Six tenths by winners decided, four tenths spread over kinds of prompts."),
    "textbook": _("Half what the ensemble is unsure of, three tenths variety, two tenths where it errs."),
    "random": _("By chance alone: nothing is chosen."),
}


class SelectForm(forms.Form):
    n = forms.IntegerField(label="Pairs", min_value=1, max_value=10_000, initial=50)


class PercentField(forms.FloatField):
    """A share from 0 to 1, entered and shown as a percentage."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=0, max_value=100, step_size=0.5, **options)

    def prepare_value(self, value: Any) -> Any:
        return f"{100 * value:g}" if isinstance(value, float) else value

    def clean(self, value: Any) -> float | None:
        found = super().clean(value)
        return None if found is None else found / 100


class PolicyForm(forms.Form):
    enabled = forms.BooleanField(label=_("Turn the loop automatically"), required=False)
    retrain_every = forms.IntegerField(
        label=_("Retrain after this many new judgments"), min_value=1, max_value=1_000_000
    )
    every_hours = forms.IntegerField(
        label=_("Or after this many hours"),
        min_value=1,
        max_value=10_000,
        required=False,
        help_text=_("If there is at least one new judgment. Empty: judgments alone decide."),
    )
    batch_size = forms.IntegerField(label=_("Then queue this many pairs"), min_value=1, max_value=10_000)
    recipe = forms.ChoiceField(
        label=_("Recipe"), choices=[(name, name) for name in RECIPES], widget=forms.RadioSelect
    )
    random_share = PercentField(
        label=_("Percent drawn at random"),
        help_text=_("What choosing is measured against. At 0 nobody can tell whether it pays."),
    )
    fall_back = forms.BooleanField(
        label=_("Fall back to chance when choosing is no better"),
        required=False,
        help_text=_("After three turns without a gain; choosing returns when it gains again."),
    )
    repeat_share = PercentField(
        label=_("Percent that may be second opinions"),
        help_text=_("On judged pairs, where one more vote is worth more than a new pair."),
    )
    overlap_share = PercentField(
        label=_("Percent of new pairs with one vote more"),
        help_text=_("Drawn by chance, so that the quality of the answers can be measured."),
    )
    audit_pairs = forms.IntegerField(
        label=_("Pairs in the audit set"),
        min_value=0,
        max_value=100_000,
        help_text=_("Drawn once by chance and never learned from. What is drawn stays; more can be added."),
    )
    audit_votes = forms.IntegerField(label=_("Votes on each of them"), min_value=1, max_value=MOST_VOTES)
    label_cost = forms.DecimalField(
        label=_("Cost of a label"), min_value=0, max_digits=10, decimal_places=4, required=False
    )
    currency = forms.RegexField(
        r"^[A-Z]{3}$", label=_("Currency"), error_messages={"invalid": _("Three capitals, as in USD.")}
    )
    worthwhile = forms.FloatField(
        label=_("Points that 1,000 labels must bring"),
        min_value=0.01,
        max_value=100,
        help_text=_("Percentage points of accuracy. Below it, and with models that stand still, the advice "
                    "is to stop."),
    )  # fmt: skip

    MORE = ("recipe", "random_share", "fall_back", "repeat_share", "overlap_share", "audit_pairs",
            "audit_votes", "label_cost", "currency", "worthwhile")  # fmt: skip

    def __init__(self, policy: LoopPolicy, data: Mapping[str, Any] | None = None) -> None:
        initial = {name: getattr(policy, name) for name in self.base_fields}
        if policy.label_cost is not None:
            initial["label_cost"] = f"{policy.label_cost.normalize():f}"
        super().__init__(data, initial=initial)
        if policy.project.kind != Project.Kind.PAIRWISE:
            self._speak_of_groups()
        if data is not None and "recipe" not in data:  # a script that sets the rhythm alone
            for name in (*self.MORE, "every_hours"):
                del self.fields[name]

    def _speak_of_groups(self) -> None:
        """Responses are ranked or rated here: see `services.grouping`."""
        self.fields["batch_size"].label = _("Then queue this many groups of responses")
        self.fields["repeat_share"].help_text = _("For pairs only: groups are not asked about again.")
        self.fields["overlap_share"].label = _("Percent of new groups with one vote more")
        self.fields["audit_pairs"].help_text = _(
            "All pairs of groups that are drawn once by chance and never learned from. What is drawn stays; "
            "more can be added."
        )

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        shares = [found.get(name) or 0.0 for name in ("random_share", "repeat_share")]
        if sum(shares) > 1:
            self.add_error("repeat_share", _("With what is drawn at random this is more than the batch."))
        return found

    @property
    def more_open(self) -> bool:
        """Whether a field among the folded ones wants mending."""
        return any(name in self.errors for name in self.MORE)

    def recipes(self) -> list[tuple[Any, Any]]:
        """Each radio button with what it stands for."""
        return [(radio, SAID[radio.data["value"]]) for radio in self["recipe"]]
