"""Create projects, change their settings and state, publish guidelines.

Locks are taken in one order: the import lock, the question's, assignments, the project, items. Handing out
holds assignments and items before it points at the project, so the question changes only while nobody is
handed anything (`assigning.nobody_meanwhile`).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Max, Min
from django.utils.text import slugify
from django.utils.translation import gettext as _

from accounts.models import Membership, Role, User
from accounts.services import audit
from annotation.models.project import Guideline, Project, default_criteria
from annotation.models.quality import QualityReport
from annotation.models.work import Assignment
from annotation.project_selectors import SETTINGS, answered, fingerprint, settings_of
from annotation.services import aggregating, assigning, discussing, project_rules, slots
from annotation.services.project_rules import InvalidProject

__all__ = ["InvalidProject", "SettingsChanged", "create", "edit", "publish_guidelines", "set_state"]


class SettingsChanged(Exception):
    """Somebody else changed the same thing since the person who asks saw it; nothing was changed now."""


@transaction.atomic
def create(
    *,
    slug: str,
    name: str = "",
    kind: str = Project.Kind.PAIRWISE,
    overlap: int = 3,
    criteria: Sequence[str] = (),
    manager: User | None = None,
    settings: Mapping[str, Any] | None = None,
    guidelines: str = "",
) -> Project:
    """A running project; `manager` becomes its first member. Raises `InvalidProject`.

    `settings` has values for any of `SETTINGS` and goes before the other arguments.
    """
    if slug != slugify(slug):
        raise InvalidProject(
            _("“%(slug)s” is not a project name: use lower-case letters, digits and hyphens.")
            % {"slug": slug[:80]}
        )
    if Project.objects.filter(slug=slug).exists():
        raise InvalidProject(
            _("There is a project “%(slug)s” already: choose another address.") % {"slug": slug}
        )
    described = [{"name": criterion, "description": ""} for criterion in criteria] or default_criteria()
    values = {"name": name or slug, "kind": kind, "overlap": overlap, "criteria": described}
    project = Project(slug=slug, **(values | _known(settings or {})))
    project_rules.check(project)
    project.save()
    if manager is not None:
        Membership.objects.create(user=manager, project=project, role=Role.MANAGER)
    audit.record(actor=manager, project=project, action="project created", detail={"kind": project.kind})
    if guidelines.strip():
        publish_guidelines(project=project, text=guidelines, actor=manager)
    return project


@transaction.atomic
def edit(
    *, project: Project, changes: Mapping[str, Any], actor: User | None = None, seen: str = ""
) -> dict[str, list[Any]]:
    """Change settings; returns [old, new] of each that changed, which the audit log keeps too.

    Answers that were given stay answers to the project's question: what would make them none is refused with
    `InvalidProject`. While nothing has been answered the question may change; what people hold is then taken
    back and handed out anew. Another overlap recounts the free slots of every item; one with an overlap of
    its own keeps it. `seen` is the `fingerprint` of the settings that the person had before them; raises
    `SettingsChanged` if it is no longer true.
    """
    wanted = Project.objects.get(pk=project.pk)
    question, overlap = wanted.question, wanted.overlap
    _set(wanted, changes)
    project_rules.check(wanted)
    anew = project_rules.asks_anew(question, wanted.question)
    taken_back: list[int] = []
    if anew or wanted.overlap != overlap:
        _no_import_meanwhile(project)
    if anew:
        assigning.nobody_meanwhile(project.pk)
        taken_back = _take_back(project)
    stored = Project.objects.select_for_update(no_key=not anew).get(pk=project.pk)
    if stored.question != question or stored.overlap != overlap or (seen and fingerprint(stored) != seen):
        raise SettingsChanged(_("Somebody else has changed these settings since you opened them."))
    before = settings_of(stored)
    wanted = Project.objects.get(pk=project.pk)
    _set(wanted, changes)
    project_rules.check(wanted)
    if anew:
        _check_question(stored, wanted)
    changed = {name: [before[name], new] for name, new in settings_of(wanted).items() if new != before[name]}
    if changed:
        wanted.save(update_fields=list(changed))
        slots.recount_slots(taken_back)
        if "overlap" in changed:
            slots.recount_project(project)
        if {"aggregation", "expert_weight"} & changed.keys():
            aggregating.touch_all(project=project)
        QualityReport.objects.filter(project=project).update(stale=True)
        detail: dict[str, Any] = {"changes": changed}
        if taken_back:
            detail["taken_back"] = len(taken_back)
        audit.record(actor=actor, project=project, action="settings changed", detail=detail)
    project.refresh_from_db()
    return changed


@transaction.atomic
def set_state(*, project: Project, state: str, actor: User | None = None, seen: str = "") -> None:
    """Pause, close or run a project. `seen` is the state the person had before them, if any.

    Nothing is taken from anybody: what people hold can still be answered; only new items are no longer
    handed out. In a closed project answers can no longer be changed.
    """
    if state not in Project.State.values:
        raise InvalidProject(_("A project is running, paused or closed."))
    stored = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    if seen and seen != stored.state:
        raise SettingsChanged(_("Somebody else has paused, closed or reopened this project meanwhile."))
    if stored.state != state:
        changes = {"state": [stored.state, state]}
        stored.state = state
        stored.save(update_fields=["state"])
        audit.record(actor=actor, project=project, action="state changed", detail={"changes": changes})
    project.refresh_from_db()


@transaction.atomic
def publish_guidelines(
    *,
    project: Project,
    text: str,
    actor: User | None = None,
    seen: int | None = None,
    closes: Collection[int] = (),
) -> Guideline:
    """A new version of the guidelines, or the current one when the text is the same.

    `seen` is the version that was edited (0: none); raises `SettingsChanged` if there is a later one.
    `closes` are the open gaps, comments on items, that this version fills.
    """
    published = _publish(project, text, actor, seen)
    discussing.close_gaps(project=project, gaps=closes, version=published)
    return published


def _publish(project: Project, text: str, actor: User | None, seen: int | None) -> Guideline:
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    text = text.replace("\r\n", "\n").replace("\x00", "").encode("utf-8", "replace").decode()
    current = project.guidelines.order_by("-version").first()
    if current is not None and current.text == text:
        return current
    latest = 0 if current is None else current.version
    if seen is not None and seen != latest:
        raise SettingsChanged(
            _("Somebody else has published version %(version)s meanwhile.") % {"version": latest}
        )
    audit.record(actor=actor, project=project, action="guidelines published", detail={"version": latest + 1})
    return Guideline.objects.create(project=project, version=latest + 1, text=text)


def _known(settings: Mapping[str, Any]) -> dict[str, Any]:
    if unknown := set(settings) - set(SETTINGS):
        raise InvalidProject(_("There is no setting “%(name)s”.") % {"name": min(unknown)})
    return dict(settings)


def _set(project: Project, changes: Mapping[str, Any]) -> None:
    for name, value in _known(changes).items():
        setattr(project, name, value)


def _no_import_meanwhile(project: Project) -> None:
    """What comes in is counted under the question and the overlap of its moment: the two take turns."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [f"import/{project.pk}"])
        if not cursor.fetchone()[0]:
            raise InvalidProject(
                _("Items are being imported or selected right now: save again when it is done.")
            )


def _take_back(project: Project) -> list[int]:
    """End what people hold, so that no answer to the old question arrives; the items whose slots come back.

    The rows go: an answer to a question that is no longer asked has no place. The first pass waits for who
    is answering this instant; with the project locked nobody is handed anything more.
    """
    unanswered = Assignment.objects.filter(project=project).exclude(state=Assignment.State.DONE)
    items: list[int] = []
    for wait in (True, False):
        if not wait:
            Project.objects.select_for_update().get(pk=project.pk)
        held = unanswered.select_for_update(skip_locked=not wait).order_by("pk")
        rows = list(held.values_list("pk", "item_id"))
        Assignment.objects.filter(pk__in=[pk for pk, _item in rows], judgments__isnull=True).delete()
        items += [item for _pk, item in rows]
    return items


def _check_question(stored: Project, wanted: Project) -> None:
    """The question may change only as long as nothing has been answered, and only into one the items fit."""
    project_rules.may_become(stored, wanted, answered(stored))
    if Assignment.objects.filter(project=stored).exists():
        raise SettingsChanged(_("Somebody is being handed an item at this very moment: save again."))
    if stored.kind != wanted.kind:
        sizes = stored.items.annotate(responses_shown=Count("item_responses")).aggregate(
            fewest=Min("responses_shown"), most=Max("responses_shown")
        )
        if sizes["most"] is not None:
            project_rules.check_items_fit(wanted, sizes["fewest"], sizes["most"])
