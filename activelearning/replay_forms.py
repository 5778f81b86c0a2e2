"""What the page Simulation accepts."""

from django import forms
from django.utils.translation import gettext_lazy as _

from activelearning.acquisition.comparing import REFERENCE
from activelearning.acquisition.quotas import RECIPES
from activelearning.services import replaying


class ReplayForm(forms.Form):
    """What to replay on the labels there are; see services.replaying for the limits."""

    recipes = forms.MultipleChoiceField(
        choices=[(name, name) for name in RECIPES if name != REFERENCE],
        initial=["regret", "i-optimal"],
        error_messages={"required": _("Choose at least one recipe.")},
    )
    seeds = forms.IntegerField(
        label=_("Repetitions"),
        min_value=replaying.FEWEST_SEEDS,
        max_value=replaying.MOST_SEEDS,
        initial=10,
        help_text=_("5 to 20, each with other prompts to measure on. More make intervals narrower."),
    )
    batch = forms.IntegerField(
        label=_("Labels in a batch"),
        min_value=replaying.SMALLEST_BATCH,
        max_value=replaying.LARGEST_BATCH,
        initial=25,
        help_text=_("After so many the model learns and chooses anew."),
    )
