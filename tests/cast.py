"""The same people in every test: one of each role in a project, and somebody outside who runs another one."""

from dataclasses import dataclass

from django.test import Client

from accounts.models import Membership, Role, User
from annotation.models.project import Project
from tests import factories

PASSWORD = "a heron stands in the reeds"


@dataclass(frozen=True)
class Cast:
    """`admin` is a superuser and member of nothing; `outsider` manages `other_project` and nothing else."""

    admin: User
    manager: User
    reviewer: User
    engineer: User
    annotator: User
    outsider: User
    project: Project
    other_project: Project


def make_cast() -> Cast:
    project = factories.project(slug="harbour", name="Harbour")
    other_project = factories.project(slug="orchard", name="Orchard")
    members = {role: person(role.value) for role in Role}
    for role, user in members.items():
        member(user, project, role)
    outsider = person("outsider")
    member(outsider, other_project, Role.MANAGER)
    return Cast(
        admin=person("admin", is_staff=True, is_superuser=True),
        manager=members[Role.MANAGER],
        reviewer=members[Role.REVIEWER],
        engineer=members[Role.ENGINEER],
        annotator=members[Role.ANNOTATOR],
        outsider=outsider,
        project=project,
        other_project=other_project,
    )


def person(username: str, **fields: object) -> User:
    """Somebody who can sign in with PASSWORD."""
    return User.objects.create_user(username, password=PASSWORD, **fields)


def member(user: User, project: Project, role: Role) -> Membership:
    return Membership.objects.create(user=user, project=project, role=role)


def browser(user: User | None = None, *, csrf: bool = False) -> Client:
    """A test client, signed in as `user` unless it is None; `csrf=True` checks CSRF tokens."""
    client = Client(enforce_csrf_checks=csrf)
    if user is not None:
        client.force_login(user)
    return client
