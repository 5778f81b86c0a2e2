"""Make a project and change its settings, with a preview of the judging page beside the form."""

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.forms import BaseFormSet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from annotation import project_selectors, project_words, selectors, sheets
from annotation.models.project import Project
from annotation.project_forms import (
    CriterionForm,
    CriterionFormSet,
    ProjectForm,
    as_entered,
    criteria_of_new,
    guidelines_for_kind,
    initial,
    initial_of_new,
    rearranged,
    rows_of,
)
from annotation.project_presets import KINDS, PRESETS, sample_responses, sample_turns, starting_guidelines
from annotation.project_selectors import Answered
from annotation.services import project_rules, projects

Criteria = BaseFormSet[CriterionForm]
HISTORY_SHOWN = 50


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """A form with everything filled in that can be; creating leads to what is to be done next."""
    user = _creator(request)
    form = ProjectForm(request.POST) if request.method == "POST" else ProjectForm(initial=initial_of_new())
    if request.method != "POST":
        return _page(request, form, _criteria(criteria_of_new()))
    if "rows" in request.POST:
        return _with_rows_moved(request, form)
    criteria = CriterionFormSet(request.POST, prefix="criteria")
    if form.is_valid() and criteria.is_valid():
        given = form.cleaned_data
        text = guidelines_for_kind(given["guidelines"], given["kind"])
        try:
            project = projects.create(
                slug=given["slug"], settings=form.settings(_rows(criteria)), guidelines=text, manager=user
            )
        except projects.InvalidProject as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("The project is there."))
            return redirect("annotation:start", slug=project.slug)
    return _page(request, form, criteria, status=422)


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def settings(request: HttpRequest, slug: str) -> HttpResponse:
    """Everything that can be changed, and why the rest cannot."""
    project = _managed(request, slug)
    if request.method != "POST":
        form = ProjectForm(initial=initial(project), project=project)
        return _page(request, form, _criteria(project.criteria))
    form = ProjectForm(request.POST, project=project)
    if "rows" in request.POST:
        return _with_rows_moved(request, form)
    criteria = CriterionFormSet(request.POST, prefix="criteria")
    if not (form.is_valid() and criteria.is_valid()):
        return _page(request, form, criteria, status=422)
    wanted = form.settings(_rows(criteria))
    try:
        changed = projects.edit(
            project=project,
            changes=wanted,
            actor=cast(User, request.user),
            seen=str(request.POST.get("seen", "")) or "nothing",
        )
    except projects.InvalidProject as error:
        form.add_error(None, str(error))
        return _page(request, form, criteria, status=422)
    except projects.SettingsChanged as error:
        project.refresh_from_db()
        return _page(request, form, criteria, status=409, conflict=str(error), wanted=wanted)
    if changed:
        words = ngettext("Saved: %(n)s setting changed.", "Saved: %(n)s settings changed.", len(changed))
        messages.success(request, words % {"n": len(changed)})
    else:
        messages.info(request, _("Nothing was changed."))
    return redirect("annotation:settings", slug=project.slug)


@login_required
@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """The judging page as the form in the request would make it; nothing is stored."""
    _creator(request)
    form = ProjectForm(request.POST)
    form.is_valid()
    given = form.settings([])
    criteria = [row for row in rows_of(request.POST) if row["name"].strip()]
    project = _sketch({**given, "criteria": criteria or criteria_of_new()})
    template = "preview_sheet" if getattr(request, "htmx", False) else "preview"
    return render(request, f"annotation/{template}.html", {"sheet": _sample(project), "tried": project})


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def state(request: HttpRequest, slug: str) -> HttpResponse:
    """Pause, close, go on: first what it means, then the deed."""
    project = _managed(request, slug)
    to = str((request.POST if request.method == "POST" else request.GET).get("to", ""))
    if request.method == "POST":
        seen = str(request.POST.get("seen", "")) or "nothing"
        try:
            projects.set_state(project=project, state=to, actor=cast(User, request.user), seen=seen)
        except (projects.InvalidProject, projects.SettingsChanged) as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("The project is now %s.") % project_words.value_in_words(to, "state"))
        return redirect("annotation:settings", slug=project.slug)
    step = project_words.transition(project, to, project_selectors.open_work(project))
    if step is None:
        return redirect("annotation:settings", slug=project.slug)
    context = {"project": project, "tab": "settings", "step": step}
    return render(request, "annotation/project_settings_state.html", context)


@login_required
@require_safe
def start(request: HttpRequest, slug: str) -> HttpResponse:
    """What is to be done before people start."""
    project = _managed(request, slug)
    context = {"project": project, "tab": "settings", "steps": _steps(project)}
    return render(request, "annotation/project_settings_start.html", context)


@login_required
@require_safe
def history(request: HttpRequest, slug: str) -> HttpResponse:
    """Who changed which setting, from what to what."""
    project = _managed(request, slug)
    entries = Paginator(project_selectors.history(project), HISTORY_SHOWN).get_page(request.GET.get("page"))
    events = [project_words.event(entry) for entry in entries]
    context = {"project": project, "tab": "settings", "events": events, "page": entries}
    return render(request, "annotation/project_settings_history.html", context)


def _creator(request: HttpRequest) -> User:
    user = cast(User, request.user)
    if not project_selectors.may_create(user):
        raise Http404("No such page.")
    return user


def _managed(request: HttpRequest, slug: str) -> Project:
    return selectors.project_for(cast(User, request.user), slug, roles=selectors.MANAGERS)


def _criteria(rows: list[dict[str, str]]) -> Criteria:
    return CriterionFormSet(initial=rows, prefix="criteria")


def _rows(criteria: Criteria) -> list[dict[str, Any]]:
    return [
        {part: row.cleaned_data.get(part) for part in ("name", "description", "weight")}
        for row in criteria
        if row.cleaned_data
    ]


def _with_rows_moved(request: HttpRequest, form: ProjectForm) -> HttpResponse:
    """The same form, its criteria rearranged; nothing is saved and nothing is found fault with."""
    entered = as_entered(form)
    kind = str(entered.get("kind") or "")
    rows, focus = rearranged(rows_of(request.POST), str(request.POST.get("rows", "")), kind)
    if "guidelines" in entered:
        entered["guidelines"] = guidelines_for_kind(str(entered["guidelines"] or ""), kind)
    again = ProjectForm(initial=entered, project=form.project)
    return _page(request, again, _criteria(rows), focus=focus, seen=str(request.POST.get("seen", "")))


def _page(
    request: HttpRequest,
    form: ProjectForm,
    criteria: Criteria,
    *,
    status: int = 200,
    focus: int | None = None,
    seen: str = "",
    conflict: str = "",
    wanted: dict[str, Any] | None = None,
) -> HttpResponse:
    project = form.project
    given = project_selectors.answered(project) if project else Answered(0, 0, 0)
    shown = _sketch(_as_far_as_valid(form, criteria), project)
    context: dict[str, Any] = {
        "form": form,
        "criteria": criteria,
        "focus": focus,
        "kinds": KINDS,
        "kind": str(form["kind"].value() or "pairwise"),
        "presets": PRESETS,
        "most": project_rules.MOST_CRITERIA,
        "given": given,
        "given_words": project_rules.counted(given),
        "sheet": _sample(shown),
    }
    if project is None:
        context["starting"] = [(kind.value, starting_guidelines(kind.value)) for kind in KINDS]
        return render(request, "annotation/project_new.html", context, status=status)
    now = project_selectors.settings_of(project)
    context |= {
        "project": project,
        "tab": "settings",
        "seen": seen or project_selectors.fingerprint(project),
        "steps": _steps(project),
        "conflict": conflict,
        "differences": [
            project_words.change(name, now[name], value)
            for name, value in (wanted or {}).items()
            if value != now[name]
        ],
        "asked": project.question,
    }
    return render(request, "annotation/project_settings.html", context, status=status)


def _as_far_as_valid(form: ProjectForm, criteria: Criteria) -> dict[str, Any]:
    """The settings that a form shows, for the preview that stands beside it when the page comes."""
    if form.is_bound:
        rows = [row for row in rows_of(cast(Any, form.data)) if row["name"].strip()]
        form.is_valid()
        return {**form.settings([]), "criteria": rows or criteria_of_new()}
    lookalike = ProjectForm({name: value for name, value in form.initial.items() if value is not None})
    lookalike.is_valid()
    rows = [dict(row.initial) for row in criteria if str(row.initial.get("name", "")).strip()]
    return {**lookalike.settings([]), "criteria": rows or criteria_of_new()}


def _sketch(settings: dict[str, Any], project: Project | None = None) -> Project:
    """A project that is never saved."""
    sketch = Project(slug="preview", name=project.name if project else "")
    for name, value in settings.items():
        setattr(sketch, name, value)
    sketch.reasons = [reason.strip() for reason in sketch.reasons if reason.strip()]
    return sketch


def _sample(project: Project) -> sheets.Sheet:
    return sheets.build(project, sample_turns(), sample_responses(project.kind))


def _steps(project: Project) -> list[project_words.Step]:
    return project_words.steps(project, project_selectors.readiness(project))
