"""Getting in, one's own account, and the people of a project."""

from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout, update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render, resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import selectors
from accounts.forms import (
    GroupForm,
    InvitationForm,
    PasswordForm,
    ProfileForm,
    RegisterForm,
    RoleForm,
    SignInForm,
)
from accounts.models import Membership, Role, User
from accounts.services import inviting, membership, signin

GONE = 410

# --- getting in -----------------------------------------------------------------------------------


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """By user name and password. Where to go next is only ever a page of this server."""
    onward = _safe_next(request)
    if request.user.is_authenticated:
        return redirect(onward or settings.LOGIN_REDIRECT_URL)
    form = SignInForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                user = signin.check_password(request, **form.cleaned_data)
            except signin.TooManyTries as error:
                form.add_error(None, str(error))
                status = 429
            else:
                if user is not None:
                    login(request, user)
                    return redirect(onward or settings.LOGIN_REDIRECT_URL)
                form.add_error(None, _("This user name and password do not belong together."))
    return render(request, "accounts/sign_in.html", {"form": form, "next": onward}, status=status)


@never_cache
@require_GET  # a HEAD request, as link previews send it, must not use the link up
def signin_link(request: HttpRequest, token: str) -> HttpResponse:
    """A link that signs in once."""
    user = signin.use_link(token)
    if user is None:
        return render(request, "accounts/sign_in_link.html", status=GONE)
    login(request, user)
    return redirect(settings.LOGIN_REDIRECT_URL)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("accounts:sign_in")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def admin_sign_in(request: HttpRequest) -> HttpResponse:
    """The site admin has no sign-in of its own: one form, one throttle. Who is not staff finds nothing."""
    if request.user.is_authenticated and not request.user.is_staff:
        raise Http404("No such page.")
    onward = _safe_next(request) or reverse("admin:index")
    if request.user.is_authenticated:
        return redirect(onward)
    return redirect(f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': onward})}")


@sensitive_post_parameters("password1", "password2")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Join a project by its link: whoever is signed in at once, a newcomer with a name and a password."""
    found = inviting.usable(token)
    if found is None:
        return render(request, "accounts/invitation.html", {"invitation": None}, status=GONE)
    form = None if request.user.is_authenticated else RegisterForm(request.POST or None)
    if request.method == "POST":
        try:
            if form is None:
                _join(request, token)
            elif not _register(request, token, form):
                context = {"invitation": found, "form": form}
                return render(request, "accounts/invitation.html", context, status=422)
        except inviting.InvitationGone:
            return render(request, "accounts/invitation.html", {"invitation": None}, status=GONE)
        return redirect(settings.LOGIN_REDIRECT_URL)
    return render(request, "accounts/invitation.html", {"invitation": found, "form": form})


def _join(request: HttpRequest, token: str) -> None:
    try:
        row = inviting.accept(token=token, user=cast(User, request.user))
    except inviting.AlreadyMember as error:
        messages.info(request, str(error))
    else:
        messages.success(request, _("You joined as: %s.") % _(row.get_role_display()))


def _register(request: HttpRequest, token: str, form: RegisterForm) -> bool:
    if not form.is_valid():
        return False
    try:
        user = inviting.register_and_accept(
            token=token, user=form.candidate, password=form.cleaned_data["password1"]
        )
    except IntegrityError:  # the name was taken a moment ago
        form.add_error("username", _("Somebody has this name already; choose another one."))
        return False
    login(request, user)
    messages.success(request, _("Welcome, %s.") % user)
    return True


@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """The language of this browser: one of Laurel's, or with none of them what the browser asks for."""
    response = redirect(_safe_next(request) or settings.LOGIN_REDIRECT_URL)
    chosen = request.POST.get("language", "")
    if chosen in dict(settings.LANGUAGES):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            chosen,
            max_age=settings.LANGUAGE_COOKIE_AGE,
            secure=settings.LANGUAGE_COOKIE_SECURE,
            httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
            samesite="Lax",
        )
    else:
        response.delete_cookie(settings.LANGUAGE_COOKIE_NAME)
    return response


def _safe_next(request: HttpRequest) -> str:
    """`next` if it is a page of this server, else nothing."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return target if safe else ""


# --- one's own account ----------------------------------------------------------------------------


@sensitive_post_parameters("current", "password1", "password2")
@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """How one is shown, and one's password."""
    user = cast(User, request.user)
    saving_password = "save_password" in request.POST
    saving_profile = request.method == "POST" and not saving_password
    profile = ProfileForm(request.POST if saving_profile else None, instance=User.objects.get(pk=user.pk))
    password = PasswordForm(request.POST if saving_password else None, user=user)
    if saving_profile and profile.is_valid():
        profile.save()
        messages.success(request, _("Saved."))
        return redirect("accounts:account")
    if saving_password and password.is_valid():
        signin.set_password(user=user, password=password.cleaned_data["password1"])
        update_session_auth_hash(request, user)
        messages.success(request, _("The password is changed. Other devices are signed out."))
        return redirect("accounts:account")
    context = {"form": profile, "password_form": password}
    return render(request, "accounts/account.html", context, status=422 if request.method == "POST" else 200)


# --- the people of a project ----------------------------------------------------------------------


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def people(request: HttpRequest, slug: str) -> HttpResponse:
    """Members and open invitations; POST makes an invitation and shows its link this once."""
    user = cast(User, request.user)
    project = selectors.managed_project(user, slug)
    form = InvitationForm(request.POST or None, initial={"role": Role.ANNOTATOR})
    context: dict[str, Any] = {"project": project, "tab": "people", "role": Role.MANAGER, "form": form}
    status = 200
    if request.method == "POST" and form.is_valid():
        issued = inviting.invite(project=project, actor=user, **form.cleaned_data)
        path = reverse("accounts:invitation", kwargs={"token": issued.token})
        context["new_link"] = request.build_absolute_uri(path)
        context["form"] = InvitationForm(initial={"role": Role.ANNOTATOR})
    elif request.method == "POST":
        status = 422
    members = list(selectors.members(project))
    context |= {
        "members": members,
        "groups": sorted({member.group for member in members} - {""}),
        "invitations": selectors.open_invitations(project),
        "roles": Role.choices,
    }
    return render(request, "accounts/people.html", context, status=status)


@login_required
@require_POST
def change_role(request: HttpRequest, slug: str, user_id: int) -> HttpResponse:
    actor = cast(User, request.user)
    project = selectors.managed_project(actor, slug)
    row = get_object_or_404(Membership.objects.select_related("user"), project=project, user_id=user_id)
    form = RoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose one of the roles."))
        return redirect("accounts:people", slug=slug)
    try:
        role = form.cleaned_data["role"]
        row = membership.change_role(project=project, user=row.user, role=role, actor=actor)
    except membership.LastManager as error:
        messages.error(request, str(error))
    else:
        said = {"name": row.user, "role": _(row.get_role_display())}
        messages.success(request, _("%(name)s is now: %(role)s.") % said)
    return _back_to_people(actor, slug, changed=row.user)


@login_required
@require_POST
def change_group(request: HttpRequest, slug: str, user_id: int) -> HttpResponse:
    actor = cast(User, request.user)
    project = selectors.managed_project(actor, slug)
    row = get_object_or_404(Membership.objects.select_related("user"), project=project, user_id=user_id)
    form = GroupForm(request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(str(error) for error in form.errors["group"]))
        return redirect("accounts:people", slug=slug)
    row = membership.change_group(
        project=project, user=row.user, group=form.cleaned_data["group"], actor=actor
    )
    said = {"name": row.user, "group": row.group}
    messages.success(
        request,
        _("%(name)s is now in the group “%(group)s”.") % said
        if row.group
        else _("%(name)s is in no group.") % said,
    )
    return redirect("accounts:people", slug=slug)


@login_required
@require_POST
def remove_member(request: HttpRequest, slug: str, user_id: int) -> HttpResponse:
    actor = cast(User, request.user)
    project = selectors.managed_project(actor, slug)
    row = get_object_or_404(Membership.objects.select_related("user"), project=project, user_id=user_id)
    try:
        membership.remove(project=project, user=row.user, actor=actor)
    except membership.LastManager as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("%s is no longer in this project.") % row.user)
    return _back_to_people(actor, slug, changed=row.user)


@login_required
@require_POST
def revoke_invitation(request: HttpRequest, slug: str, invitation_id: int) -> HttpResponse:
    actor = cast(User, request.user)
    project = selectors.managed_project(actor, slug)
    if not inviting.revoke(project=project, invitation_id=invitation_id, actor=actor):
        raise Http404("No such invitation.")
    messages.success(request, _("The invitation no longer works."))
    return redirect("accounts:people", slug=slug)


def _back_to_people(actor: User, slug: str, *, changed: User) -> HttpResponse:
    """To the people page; home when one took oneself out of it."""
    if changed == actor and not _still_manages(actor, slug):
        return redirect(settings.LOGIN_REDIRECT_URL)
    return redirect("accounts:people", slug=slug)


def _still_manages(user: User, slug: str) -> bool:
    try:
        selectors.managed_project(user, slug)
    except Http404:
        return False
    return True
