"""The settings of a project as a form: one for a new project and for one that runs.

Criteria are rows of a formset. Its buttons (add, remove, up, down, presets) are submits named `rows` that
save nothing: the page comes back with the rows rearranged, with and without JavaScript.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.http import QueryDict
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotation.method_words import METHODS
from annotation.models.project import Project, default_reasons
from annotation.project_presets import KINDS, PRESETS, starting_guidelines
from annotation.services.project_rules import (
    HEAVIEST,
    LONGEST_DESCRIPTION,
    LONGEST_LEASE,
    LONGEST_NAME,
    MOST_CRITERIA,
)

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

LONGEST_GUIDELINES: Final = 100_000
AS_THEY_STAND: Final = (
    "name", "kind", "ties", "both_bad", "strength_scale", "overlap", "blind_review",
    "qualification_required", "reopen_hours", "show_progress", "show_accuracy", "show_category",
    "daily_goal", "rating_points", "break_minutes", "expert_weight", "auto_pause", "aggregation",
)  # fmt: skip


def _whole(
    label: "str | _StrPromise", help_text: "str | _StrPromise" = "", **bounds: Any
) -> forms.IntegerField:
    return forms.IntegerField(label=label, help_text=help_text, **bounds)


def _yes(label: "str | _StrPromise", help_text: "str | _StrPromise" = "") -> forms.BooleanField:
    return forms.BooleanField(label=label, help_text=help_text, required=False)


class ProjectForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=200)
    slug = forms.SlugField(
        label=gettext_lazy("Address"),
        max_length=80,
        required=False,
        help_text=gettext_lazy(
            "Part of every link and command; it stays as it is. Left empty, it follows the name."
        ),
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind of question"),
        choices=[(kind.value, kind.label) for kind in KINDS],
        widget=forms.RadioSelect,
    )
    ties = _yes(gettext_lazy("Ties are allowed"), gettext_lazy("Equally good is an honest answer."))
    both_bad = _yes(
        gettext_lazy("Offer “Both are bad”"),
        gettext_lazy("Nobody should get either of them; counts as a tie."),
    )
    strength_scale = _yes(
        gettext_lazy("Ask how much better"),
        gettext_lazy("Slightly, clearly or much: three steps on each side."),
    )
    rating_points = forms.TypedChoiceField(
        label=gettext_lazy("Points"),
        coerce=int,
        choices=[(5, gettext_lazy("1 to 5")), (7, gettext_lazy("1 to 7"))],
        widget=forms.RadioSelect,
    )
    reasons = forms.CharField(
        label=gettext_lazy("Reasons to choose from"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 6, "dir": "auto"}),
        help_text=gettext_lazy(
            "One a line, shown as chips; giving one is optional. Comments are always possible."
        ),
    )
    guidelines = forms.CharField(
        label=gettext_lazy("Guidelines"),
        required=False,
        max_length=LONGEST_GUIDELINES,
        widget=forms.Textarea(attrs={"rows": 16, "dir": "auto"}),
        help_text=gettext_lazy("Markdown. A text to start from; put your own examples in it."),
    )
    overlap = _whole(
        gettext_lazy("Answers per item"),
        gettext_lazy("How many people judge each item. Two or more show how far they agree."),
        min_value=1,
        max_value=100,
    )
    lease_minutes = forms.FloatField(
        label=gettext_lazy("Minutes an item is reserved"),
        help_text=gettext_lazy(
            "After so long without an answer it goes to somebody else; a late answer is kept."
        ),
        min_value=0.5,
        max_value=LONGEST_LEASE / 60,
    )
    reopen_hours = _whole(
        gettext_lazy("Hours in which an answer may be changed"),
        gettext_lazy("Empty: until the project is closed."),
        min_value=1,
        max_value=8760,
        required=False,
    )
    qualification_required = _yes(
        gettext_lazy("A qualification test comes first"),
        gettext_lazy("Annotators get items once they have passed it or you have waived it for them."),
    )
    blind_review = _yes(
        gettext_lazy("Blind review"),
        gettext_lazy("Who may still judge an item does not see how others voted on it."),
    )
    gold_percent = forms.FloatField(
        label=gettext_lazy("Gold items, in percent"),
        help_text=gettext_lazy("Items whose answer you know, mixed in unnoticed. 5 to 10 is usual."),
        min_value=0,
        max_value=100,
    )
    repeat_percent = forms.FloatField(
        label=gettext_lazy("Silent repeats, in percent"),
        help_text=gettext_lazy(
            "The same item again, the responses in another order: shows how steady somebody is. 0: none."
        ),
        min_value=0,
        max_value=50,
    )
    spot_check_percent = forms.FloatField(
        label=gettext_lazy("Spot checks, in percent of finished items"),
        help_text=gettext_lazy(
            "Reviewers answer them again without the votes: how often the labels are wrong. 0: none."
        ),
        min_value=0,
        max_value=100,
    )
    expert_weight = _whole(
        gettext_lazy("Votes that a reviewer’s decision counts"),
        gettext_lazy("How much it weighs in the label beside those who judged the item before."),
        min_value=1,
        max_value=100,
    )
    auto_pause = _yes(
        gettext_lazy("Pause annotators by rule"),
        gettext_lazy(
            "On failed gold, or two independent signs. They are told why and can appeal; one click restores "
            "them with every vote. Otherwise you are only told."
        ),
    )
    aggregation = forms.ChoiceField(
        label=gettext_lazy("How votes become labels"),
        choices=[(key, words) for key, (words, _meaning) in METHODS.items()],
        widget=forms.RadioSelect,
        help_text=gettext_lazy("The monitor says which of them foresees this project’s votes best."),
    )
    show_progress = _yes(gettext_lazy("How far the whole project is"))
    show_accuracy = _yes(
        gettext_lazy("Their own accuracy on gold items"),
        gettext_lazy("A share only; never which items are gold."),
    )
    show_category = _yes(gettext_lazy("The category of each prompt"))
    daily_goal = _whole(
        gettext_lazy("Daily goal, in judgments"),
        gettext_lazy("Empty: none."),
        min_value=1,
        max_value=10_000,
        required=False,
    )
    break_minutes = _whole(
        gettext_lazy("Suggest a break after minutes"), gettext_lazy("0: never."), min_value=0, max_value=600
    )

    def __init__(self, *args: Any, project: Project | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.project = project
        if project is not None:
            del self.fields["slug"], self.fields["guidelines"]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "slug" in self.fields and not cleaned.get("slug") and cleaned.get("name"):
            cleaned["slug"] = slugify(cleaned["name"])[:80].strip("-_")
            if not cleaned["slug"]:
                self.add_error("slug", _("Give an address: letters a to z, digits and hyphens."))
        return cleaned

    def settings(self, criteria: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What the service takes; only what is valid, so that a preview works with half a form."""
        given = self.cleaned_data
        settings: dict[str, Any] = {name: given[name] for name in AS_THEY_STAND if name in given}
        if "reasons" in given:
            settings["reasons"] = given["reasons"].splitlines()
        if "lease_minutes" in given:
            settings["lease_seconds"] = round(60 * given["lease_minutes"])
        if "gold_percent" in given:
            settings["gold_rate"] = round(given["gold_percent"] / 100, 6)
        if "repeat_percent" in given:
            settings["repeat_rate"] = round(given["repeat_percent"] / 100, 6)
        if "spot_check_percent" in given:
            settings["spot_check_rate"] = round(given["spot_check_percent"] / 100, 6)
        return {**settings, "criteria": [dict(criterion) for criterion in criteria]}


class CriterionForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=LONGEST_NAME)
    description = forms.CharField(
        label=gettext_lazy("What it asks"), max_length=LONGEST_DESCRIPTION, required=False
    )
    weight = forms.FloatField(
        label=gettext_lazy("Weight"), min_value=0, max_value=HEAVIEST, required=False, localize=False
    )
    name.widget.attrs["dir"] = description.widget.attrs["dir"] = "auto"


CriterionFormSet = forms.formset_factory(
    CriterionForm,
    extra=0,
    min_num=1,
    max_num=MOST_CRITERIA,
    validate_min=True,
    validate_max=True,
    absolute_max=MOST_CRITERIA + 8,
)


def initial(project: Project) -> dict[str, Any]:
    """The settings of a project as the form shows them."""
    return {
        **{name: getattr(project, name) for name in AS_THEY_STAND},
        "reasons": "\n".join(project.reasons),
        "lease_minutes": f"{project.lease_seconds / 60:g}",
        "gold_percent": f"{100 * project.gold_rate:g}",
        "repeat_percent": f"{100 * project.repeat_rate:g}",
        "spot_check_percent": f"{100 * project.spot_check_rate:g}",
    }


def initial_of_new() -> dict[str, Any]:
    """What a new project starts from; a kind is chosen already, so that the preview shows something."""
    project = Project(reasons=default_reasons())
    return {**initial(project), "guidelines": starting_guidelines(project.kind)}


def criteria_of_new() -> list[dict[str, str]]:
    return PRESETS["overall"].criteria(Project.Kind.PAIRWISE)


def rows_of(data: QueryDict) -> list[dict[str, str]]:
    """The criteria as they stand in the form, valid or not."""
    total = data.get("criteria-TOTAL_FORMS", "")
    count = int(total) if total.isascii() and total.isdigit() and len(total) < 4 else 0
    return [
        {
            part: str(data.get(f"criteria-{row}-{part}", "")).replace("\x00", "")
            for part in ("name", "description", "weight")
        }
        for row in range(min(count, MOST_CRITERIA + 8))
    ]


def rearranged(rows: list[dict[str, str]], action: str, kind: str) -> tuple[list[dict[str, str]], int]:
    """The rows after a button was pressed, and the row it leaves the keyboard on."""
    verb, _dash, rest = action.partition("-")
    if verb == "preset" and rest in PRESETS:
        return PRESETS[rest].criteria(kind), 0
    if verb == "add" and len(rows) < MOST_CRITERIA:
        return [*rows, {"name": "", "description": ""}], len(rows)
    at = int(rest) if rest.isascii() and rest.isdigit() and len(rest) < 4 else -1
    if not 0 <= at < len(rows):
        return rows, 0
    if verb == "remove" and len(rows) > 1:
        return rows[:at] + rows[at + 1 :], min(at, len(rows) - 2)
    to = at + {"up": -1, "down": 1}.get(verb, 0)
    if 0 <= to < len(rows):
        rows = list(rows)
        rows[at], rows[to] = rows[to], rows[at]
        return rows, to
    return rows, at


def as_entered(form: ProjectForm) -> dict[str, Any]:
    """What stands in a form, valid or not, to show it again without a word about mistakes."""
    return {name: form[name].data for name in form.fields}


def guidelines_for_kind(text: str, kind: str) -> str:
    """The starting text of the kind that was chosen, if the text is still that of another; else the text."""
    untouched = {starting_guidelines(one.value).strip() for one in KINDS}
    known = {one.value for one in KINDS}
    same = text.replace("\r\n", "\n").strip() in untouched
    return starting_guidelines(kind) if same and kind in known else text
