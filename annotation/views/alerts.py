"""Alerts of a project, and where they are sent."""

from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import User
from annotation import alert_selectors, alert_words, delivery_words, selectors
from annotation.alert_forms import TargetForm, new_target
from annotation.models.alert import Alert, AlertTarget
from annotation.models.project import Project
from annotation.services import alerting, delivering, targeting

DELIVERIES_SHOWN = 20
PLACES = ("monitor", "alerts")  # from where an alert is put aside, and where one comes back to


@login_required
@require_GET
def listing(request: HttpRequest, slug: str) -> HttpResponse:
    """What is open, then what has been."""
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.WATCHERS)
    role = selectors.role_in(user, project)
    page = Paginator(alert_selectors.latest_alerts(project), alert_selectors.SHOWN).get_page(
        request.GET.get("page")
    )
    rows = alert_words.with_words(list(page), role)
    context = {
        "project": project,
        "tab": "monitor",
        "role": role,
        "page": page,
        "open": [row for row in rows if row[0].is_open],
        "settled": [row for row in rows if not row[0].is_open],
        "may_choose": role in selectors.MANAGERS,
    }
    return render(request, "annotation/alert_list.html", context)


@login_required
@require_POST
def put_aside(request: HttpRequest, slug: str, alert_id: int) -> HttpResponse:
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.WATCHERS)
    alert = Alert.objects.filter(project=project, pk=alert_id).select_related("project").first()
    if alert is None:
        raise Http404("No such alert.")
    alerting.put_aside(alert=alert, user=user)
    back = request.POST.get("back", "")
    return redirect(f"annotation:{back if back in PLACES else PLACES[0]}", slug=slug)


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def targets(request: HttpRequest, slug: str) -> HttpResponse:
    """Who is told; POST adds somebody, and shows a webhook's secret this once."""
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.MANAGERS)
    if request.method != "POST":
        return _targets_page(request, project, new_target())
    form = TargetForm(request.POST)
    if form.is_valid():
        try:
            made = targeting.add_target(project=project, actor=user, **form.cleaned_data)
        except targeting.TargetExists:
            form.add_error(
                "address", _("This address is told already: remove it above to change its alerts.")
            )
        except targeting.TooManyTargets:
            most = targeting.MOST_TARGETS
            form.add_error(None, _("More than %(most)s addresses are too many: remove one.") % {"most": most})
        else:
            return _targets_page(request, project, new_target(), made=made)
    return _targets_page(request, project, form, status=422)


@login_required
@require_POST
def test_target(request: HttpRequest, slug: str, target_id: int) -> HttpResponse:
    """Send a test message now, and say what came of it."""
    target = _target(request, slug, target_id)
    problem = delivering.send_test(target)
    if problem:
        words = _("The test did not arrive at %(address)s.") % {"address": target.address}
        messages.error(request, f"{words} {delivery_words.problem_in_words(problem)}")
    elif target.channel == AlertTarget.Channel.EMAIL:
        words = _("The mail server has taken the test for %(address)s: look into the mailbox.")
        messages.success(request, words % {"address": target.address})
    else:
        messages.success(request, _("The test arrived at %(address)s.") % {"address": target.address})
    return redirect("annotation:alert_targets", slug=slug)


@login_required
@require_POST
def remove_target(request: HttpRequest, slug: str, target_id: int) -> HttpResponse:
    target = _target(request, slug, target_id)
    targeting.remove_target(target=target, actor=cast(User, request.user))
    messages.success(request, _("Removed: nothing is sent there any more."))
    return redirect("annotation:alert_targets", slug=slug)


def _target(request: HttpRequest, slug: str, target_id: int) -> AlertTarget:
    project = selectors.project_for(cast(User, request.user), slug, roles=selectors.MANAGERS)
    target = alert_selectors.targets(project).filter(pk=target_id).select_related("project").first()
    if target is None:
        raise Http404("No such target.")
    return target


def _targets_page(
    request: HttpRequest,
    project: Project,
    form: TargetForm,
    *,
    made: AlertTarget | None = None,
    status: int = 200,
) -> HttpResponse:
    found = list(alert_selectors.targets(project))
    deliveries = alert_selectors.latest_deliveries(project)[:DELIVERIES_SHOWN]
    context: dict[str, Any] = {
        "project": project,
        "tab": "settings",
        "form": form,
        "made": made,
        "targets": [(one, [alert_words.KINDS[kind] for kind in one.kinds]) for one in found],
        "all_kinds": len(alert_words.KINDS),
        "deliveries": [
            (one, alert_words.words(one.alert), *delivery_words.STATES[one.state],
             delivery_words.problem_in_words(one.problem))
            for one in deliveries
        ],
        "sends_mail": settings.LAUREL_SENDS_MAIL,
        "most_tries": delivering.MOST_TRIES,
    }  # fmt: skip
    return render(request, "annotation/alert_targets.html", context, status=status)
