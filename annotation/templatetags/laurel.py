"""Template tags of the design system: the tabs of a project, and Markdown that people and models wrote."""

from dataclasses import dataclass
from typing import Any

from django import template
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.models import Role
from annotation import alert_selectors, selectors
from annotation.learning_selectors import has_exercises
from annotation.rendering import render_markdown

register = template.Library()


@dataclass(frozen=True)
class Tab:
    key: str
    label: Promise
    url_name: str
    roles: frozenset[Role]


TABS = (
    Tab("judge", _("Judge"), "annotation:judge", selectors.JUDGES),
    Tab("work", _("My work"), "annotation:work", selectors.JUDGES),
    Tab("learn", _("Learn"), "annotation:learn", selectors.JUDGES - selectors.MANAGERS),
    Tab("guidelines", _("Guidelines"), "annotation:guidelines", selectors.EVERYONE),
    Tab("monitor", _("Monitor"), "annotation:monitor", selectors.WATCHERS),
    Tab("review", _("Review"), "annotation:reviews", selectors.WATCHERS),
    Tab("data", _("Data"), "annotation:data", selectors.BUILDERS),
    Tab("models", _("Models"), "rewardmodel:runs", selectors.BUILDERS),
    Tab("leaderboard", _("Leaderboard"), "rewardmodel:leaderboard", selectors.BUILDERS),
    Tab("batches", _("Next batch"), "activelearning:batches", selectors.BUILDERS),
    Tab("training", _("Exercises"), "annotation:exercises", selectors.MANAGERS),
    Tab("people", _("People"), "accounts:people", selectors.MANAGERS),
    Tab("settings", _("Settings"), "annotation:settings", selectors.MANAGERS),
)


@register.inclusion_tag("partials/tabs.html", takes_context=True)
def project_tabs(context: dict[str, Any]) -> dict[str, Any]:
    """The tabs the signed-in person may open in `project`; `tab` in the context names the open one."""
    project, request = context.get("project"), context.get("request")
    if project is None or request is None or not request.user.is_authenticated:
        return {"tabs": []}
    role = context.get("role") or selectors.role_in(request.user, project)
    alerts = alert_selectors.open_count(project) if role in selectors.WATCHERS else 0
    tabs = [
        (
            tab.label,
            reverse(tab.url_name, kwargs={"slug": project.slug}),
            tab.key == context.get("tab"),
            alerts if tab.key == "monitor" else 0,
        )
        for tab in TABS
        if role in tab.roles and (tab.key != "learn" or has_exercises(project))
    ]
    return {"tabs": tabs}


@register.filter
def markdown(text: str) -> SafeString:
    """Untrusted Markdown as safe HTML: `<div class="prose" dir="auto">{{ text|markdown }}</div>`."""
    return render_markdown(text)
