"""Guidelines: to read, in all their versions, and to write."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import Role, User
from annotation import comment_selectors, project_selectors, selectors, text_diff
from annotation.models.project import Project
from annotation.project_forms import LONGEST_GUIDELINES
from annotation.project_presets import starting_guidelines
from annotation.rendering import render_markdown
from annotation.services import projects


@login_required
@require_safe
def guidelines(request: HttpRequest, slug: str) -> HttpResponse:
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.EVERYONE)
    guideline = selectors.latest_guidelines(project)
    role = selectors.role_in(user, project)
    context = {
        "project": project,
        "tab": "guidelines",
        "guideline": guideline,
        "guideline_html": render_markdown(guideline.text, first_heading=2) if guideline else "",
        "can_judge": role in selectors.JUDGES,
        "can_edit": role is Role.MANAGER,
    }
    partial = getattr(request, "htmx", False)
    return render(request, f"annotation/guidelines{'_text' if partial else ''}.html", context)


@login_required
@require_safe
def versions(request: HttpRequest, slug: str) -> HttpResponse:
    """Every version; who published it and what was judged under it is told to those who watch."""
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.EVERYONE)
    context = {
        "project": project,
        "tab": "guidelines",
        "versions": project_selectors.guideline_versions(project),
        "watches": selectors.role_in(user, project) in selectors.WATCHERS,
    }
    return render(request, "annotation/guidelines_versions.html", context)


@login_required
@require_safe
def version(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """One version as it was read, and what it changed; `?against=N` compares it with another."""
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.EVERYONE)
    role = selectors.role_in(user, project)
    texts = {guideline.version: guideline for guideline in project.guidelines.all()}
    if number not in texts:
        raise Http404("No such version.")
    asked = str(request.GET.get("against", ""))
    against = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 9 else number - 1
    other = texts.get(against)
    context = {
        "project": project,
        "tab": "guidelines",
        "guideline": texts[number],
        "guideline_html": render_markdown(texts[number].text, first_heading=3),
        "others": [one for one in texts if one != number],
        "other": other,
        "changes": text_diff.changes(other.text, texts[number].text) if other else [],
        "latest": max(texts),
    }
    if role in selectors.WATCHERS:  # the discussion of items is nothing for those who judge them
        context["gaps"], context["hidden"] = comment_selectors.closed_by(texts[number], user, role)
    return render(request, "annotation/guidelines_version.html", context)


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, slug: str) -> HttpResponse:
    """Write and see it rendered; publishing makes a new version."""
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.MANAGERS)
    latest = selectors.latest_guidelines(project)
    if request.method != "POST":
        text = latest.text if latest else starting_guidelines(project.kind)
        return _editor(request, project, text, seen=latest.version if latest else 0)
    text = str(request.POST.get("text", "")).replace("\r\n", "\n").replace("\x00", "")
    asked = str(request.POST.get("seen", ""))
    seen = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 9 else 0
    if "preview" in request.POST:
        return _editor(request, project, text, seen=seen)
    problem = _problem(text)
    if problem:
        return _editor(request, project, text, seen=seen, problem=problem, status=422)
    try:
        published = projects.publish_guidelines(
            project=project, text=text, actor=user, seen=seen, closes=_ticked(request)
        )
    except projects.SettingsChanged as error:
        return _editor(
            request, project, text, seen=latest.version if latest else 0, conflict=str(error), status=409
        )
    messages.success(
        request, _("Version %s is what everybody sees from the next item on.") % published.version
    )
    return redirect("annotation:guidelines", slug=project.slug)


def _editor(
    request: HttpRequest,
    project: Project,
    text: str,
    *,
    seen: int,
    problem: str = "",
    conflict: str = "",
    status: int = 200,
) -> HttpResponse:
    user = cast(User, request.user)
    gaps, hidden = comment_selectors.open_gaps(project, user, selectors.role_in(user, project))
    context = {
        "project": project,
        "tab": "guidelines",
        "gaps": gaps,
        "hidden": hidden,
        "ticked": _ticked(request),
        "text": text,
        "seen": seen,
        "next_version": seen + 1,
        "problem": problem,
        "conflict": conflict,
        "longest": LONGEST_GUIDELINES,
        "rendered": render_markdown(text[:LONGEST_GUIDELINES], first_heading=3),
    }
    return render(request, "annotation/guidelines_edit.html", context, status=status)


def _ticked(request: HttpRequest) -> list[int]:
    """The open gaps that this version is said to close."""
    asked = [str(one) for one in request.POST.getlist("closes")]
    return [int(one) for one in asked if one.isascii() and one.isdigit() and len(one) < 19]


def _problem(text: str) -> str:
    if not text.strip():
        return _("Write something first: guidelines cannot be empty.")
    if len(text) > LONGEST_GUIDELINES:
        return _("The text has %(n)s characters; shorten it to %(most)s.") % {
            "n": len(text),
            "most": LONGEST_GUIDELINES,
        }
    return ""
