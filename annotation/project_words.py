"""A project's settings, their history and its readiness in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import AuditEntry
from annotation.method_words import METHODS
from annotation.models.project import Project
from annotation.project_selectors import Readiness

LABELS: Final[Mapping[str, Promise]] = {
    "name": gettext_lazy("Name"),
    "kind": gettext_lazy("Kind of question"),
    "criteria": gettext_lazy("Criteria"),
    "reasons": gettext_lazy("Reasons to choose from"),
    "ties": gettext_lazy("Ties are allowed"),
    "both_bad": gettext_lazy("Offer “Both are bad”"),
    "strength_scale": gettext_lazy("Ask how much better"),
    "rating_points": gettext_lazy("Points"),
    "overlap": gettext_lazy("Answers per item"),
    "lease_seconds": gettext_lazy("Seconds an item is reserved"),
    "gold_rate": gettext_lazy("Share of gold items"),
    "repeat_rate": gettext_lazy("Share of silent repeats"),
    "blind_review": gettext_lazy("Blind review"),
    "qualification_required": gettext_lazy("A qualification test comes first"),
    "reopen_hours": gettext_lazy("Hours in which an answer may be changed"),
    "expert_weight": gettext_lazy("Votes that a reviewer’s decision counts"),
    "spot_check_rate": gettext_lazy("Share of spot checks"),
    "auto_pause": gettext_lazy("Pause annotators by rule"),
    "aggregation": gettext_lazy("How votes become labels"),
    "show_progress": gettext_lazy("Annotators see how far the whole project is"),
    "show_accuracy": gettext_lazy("Annotators see their own accuracy on gold items"),
    "show_category": gettext_lazy("Annotators see the category of each prompt"),
    "daily_goal": gettext_lazy("Daily goal, in judgments"),
    "break_minutes": gettext_lazy("Suggest a break after minutes"),
    "state": gettext_lazy("State"),
}
VALUES: Final[Mapping[str, Promise]] = {
    "pairwise": gettext_lazy("pairwise"),
    "ranking": gettext_lazy("ranking"),
    "rating": gettext_lazy("rating"),
    "running": gettext_lazy("running"),
    "paused": gettext_lazy("paused"),
    "closed": gettext_lazy("closed"),
}
ACTIONS: Final[Mapping[str, Promise]] = {
    "project created": gettext_lazy("Project created"),
    "settings changed": gettext_lazy("Settings changed"),
    "state changed": gettext_lazy("State changed"),
    "guidelines published": gettext_lazy("Guidelines published"),
    "alert target added": gettext_lazy("Alerts go to another address"),
    "alert target removed": gettext_lazy("Alerts no longer go to an address"),
}


@dataclass(frozen=True)
class Change:
    label: str
    old: str
    new: str


@dataclass(frozen=True)
class Event:
    """One entry of the settings' history."""

    entry: AuditEntry
    title: str
    changes: tuple[Change, ...]
    note: str = ""


def event(entry: AuditEntry) -> Event:
    changes = tuple(
        change(name, old, new) for name, (old, new) in (entry.detail.get("changes") or {}).items()
    )
    note = entry.detail.get("address", "")
    if "version" in entry.detail:
        note = _("Version %s") % entry.detail["version"]
    if taken := entry.detail.get("taken_back"):
        note = ngettext(
            "%s item that somebody held was handed out anew.",
            "%s items that people held were handed out anew.",
            taken,
        ) % (taken)
    return Event(entry, str(ACTIONS.get(entry.action, entry.action)), changes, note)


def change(name: str, old: Any, new: Any) -> Change:
    return Change(str(LABELS.get(name, name)), value_in_words(old, name), value_in_words(new, name))


def value_in_words(value: Any, name: str = "") -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if value is None or value in ("", []):
        return _("none")
    if name == "criteria":
        return "; ".join(
            (f"{one['name']} ({one['description']})" if one.get("description") else one["name"])
            + (f" × {one['weight']:g}" if one.get("weight") is not None else "")
            for one in value
        )
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if name in ("gold_rate", "repeat_rate", "spot_check_rate"):
        return f"{100 * value:g} %"
    if name == "aggregation" and value in METHODS:
        return str(METHODS[value][0])
    return str(VALUES.get(value, value)) if name in ("kind", "state") else str(value)


@dataclass(frozen=True)
class Transition:
    """What pausing, closing or going on means, before it is done."""

    to: str
    title: str
    button: str
    means: tuple[str, ...]


def transition(project: Project, to: str, held: int) -> Transition | None:
    """None when there is no such step from the project's state."""
    if to == project.state:
        return None
    on_screens = ngettext(
        "%s item is on somebody’s screen or waits there; its answer is still taken.",
        "%s items are on people’s screens or wait there; their answers are still taken.",
        held,
    ) % (held)
    open_work = on_screens if held else _("Nobody holds an item at this moment.")
    kept = _("Every judgment, draft and label stays as it is.")
    if to == "paused":
        paused = (_("Nobody is given a new item until you go on."), open_work, kept)
        return Transition(to, _("Pause the project?"), _("Pause"), paused)
    if to == "closed":
        frozen = _("Answers that were given can no longer be changed, until you reopen the project.")
        closed = (_("Nobody is given a new item."), open_work, frozen, kept)
        return Transition(to, _("Close the project?"), _("Close"), closed)
    if to == "running":
        again = _("Annotators are given items again at once, where they stopped.")
        changeable = _("Answers may be changed again, as long as the settings allow.")
        if project.state == "paused":
            return Transition(to, _("Go on with the project?"), _("Go on"), (again,))
        return Transition(to, _("Reopen the project?"), _("Reopen"), (again, changeable))
    return None


@dataclass(frozen=True)
class Step:
    """One thing to see to before people start. `needed`: little sense to begin without."""

    done: bool
    needed: bool
    label: str
    note: str
    url: str
    action: str


def steps(project: Project, ready: Readiness) -> list[Step]:
    found = [
        Step(
            bool(ready.items), True, _("Items are imported"),
            ngettext("%s item", "%s items", ready.items) % ready.items if ready.items else _("Nothing yet."),
            _link("annotation:import_items", project), _("Import items"),
        ),
        Step(
            bool(ready.guidelines), True, _("Guidelines are written"),
            _("Version %s") % ready.guidelines if ready.guidelines
            else _("Without them everybody judges by rules of their own."),
            _link("annotation:edit_guidelines", project), _("Write guidelines"),
        ),
        Step(
            bool(ready.annotators or ready.invited), True, _("People are invited"),
            _people(ready), _link("accounts:people", project), _("Invite people"),
        ),
        Step(
            bool(ready.gold), False, _("Gold items are there"),
            ngettext("%s gold item", "%s gold items", ready.gold) % ready.gold if ready.gold
            else _("Items whose answer you know show how well people work."),
            _link("annotation:gold", project), _("Make gold"),
        ),
    ]  # fmt: skip
    if project.qualification_required or ready.qualification:
        found.append(
            Step(
                ready.qualification, project.qualification_required, _("A qualification test is open"),
                "" if ready.qualification else _("You ask for one: before it is open, nobody gets items."),
                _link("annotation:exercises", project), _("Prepare the test"),
            )
        )  # fmt: skip
    return found


def _people(ready: Readiness) -> str:
    if not ready.annotators and not ready.invited:
        return _("Nobody yet but you.")
    joined = ngettext("%s annotator", "%s annotators", ready.annotators) % ready.annotators
    invited = ngettext("%s open invitation", "%s open invitations", ready.invited) % ready.invited
    return f"{joined}, {invited}"


def _link(name: str, project: Project) -> str:
    """Where a step is done; empty as long as there is no such page."""
    try:
        return reverse(name, kwargs={"slug": project.slug})
    except NoReverseMatch:
        return ""
