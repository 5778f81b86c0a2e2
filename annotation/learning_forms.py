"""What the pages of exercises accept."""

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from annotation.models.learning import Exercise

LONGEST_INTRODUCTION = 20_000
MOST_HOURS = 24 * 60
KINDS = [
    (Exercise.Kind.CALIBRATION.value, _("Calibration round")),
    (Exercise.Kind.QUALIFICATION.value, _("Qualification test")),
    (Exercise.Kind.SESSION.value, _("Calibration session")),
]


class NewExerciseForm(forms.Form):
    kind = forms.ChoiceField(
        label=_("Kind"),
        choices=KINDS,
        help_text=_(
            "A round tells the expert’s answer after each item. A test has a pass mark. In a session several "
            "people answer the same items and compare afterwards."
        ),
    )
    name = forms.CharField(label=_("Name"), max_length=200)


class ExerciseForm(forms.Form):
    """Name and introduction; a test has its rules as well. The pass mark is typed in per cent."""

    name = forms.CharField(label=_("Name"), max_length=200)
    introduction = forms.CharField(
        label=_("Introduction"),
        required=False,
        max_length=LONGEST_INTRODUCTION,
        widget=forms.Textarea(attrs={"rows": 5, "dir": "auto"}),
        help_text=_("Markdown. People read it before they begin."),
    )
    pass_mark = forms.IntegerField(
        label=_("Pass mark in per cent"),
        min_value=0,
        max_value=100,
        help_text=_("Share of the credit over all items and criteria. Finished attempts keep their result."),
    )
    attempts = forms.IntegerField(
        label=_("Attempts"),
        min_value=0,
        max_value=100,
        help_text=_("How often a person may try; 0: no limit."),
    )
    cooldown_hours = forms.IntegerField(label=_("Hours between attempts"), min_value=0, max_value=MOST_HOURS)

    def __init__(self, data: QueryDict | None, *, exercise: Exercise) -> None:
        super().__init__(data, initial=self.values_of(exercise))
        if exercise.kind != Exercise.Kind.QUALIFICATION:
            for name in ("pass_mark", "attempts", "cooldown_hours"):
                del self.fields[name]

    @staticmethod
    def values_of(exercise: Exercise) -> dict[str, Any]:
        return {
            "name": exercise.name,
            "introduction": exercise.introduction,
            "pass_mark": round(100 * exercise.pass_mark),
            "attempts": exercise.attempts,
            "cooldown_hours": exercise.cooldown_hours,
        }

    def values(self) -> dict[str, Any]:
        """As the service takes them."""
        values = dict(self.cleaned_data)
        if "pass_mark" in values:
            values["pass_mark"] = values["pass_mark"] / 100
        return values
