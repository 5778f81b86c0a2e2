"""Create projects and guidelines."""

from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.text import slugify

from accounts.models import Membership, Role, User
from accounts.services import audit
from annotation.models.project import Guideline, Project, default_criteria


class InvalidProject(ValueError):
    """The project cannot be created as asked; the message says what to change."""


@transaction.atomic
def create(
    *,
    slug: str,
    name: str = "",
    kind: str = Project.Kind.PAIRWISE,
    overlap: int = 3,
    criteria: Sequence[str] = (),
    manager: User | None = None,
) -> Project:
    """A running project; `manager` becomes its first member. Raises `InvalidProject`."""
    if slug != slugify(slug):
        raise InvalidProject(f"“{slug}” is not a project name: use lower-case letters, digits and hyphens.")
    described = [{"name": criterion, "description": ""} for criterion in criteria] or default_criteria()
    project = Project(slug=slug, name=name or slug, kind=kind, overlap=overlap, criteria=described)
    try:
        project.full_clean()
    except ValidationError as error:
        raise InvalidProject("; ".join(error.messages)) from error
    project.save()
    if manager is not None:
        Membership.objects.create(user=manager, project=project, role=Role.MANAGER)
    audit.record(actor=manager, project=project, action="project created", detail={"kind": kind})
    return project


@transaction.atomic
def publish_guidelines(*, project: Project, text: str, actor: User | None = None) -> Guideline:
    """A new version of the guidelines, or the current one when the text is the same."""
    Project.objects.select_for_update().get(pk=project.pk)
    current = project.guidelines.order_by("-version").first()
    if current is not None and current.text == text:
        return current
    version = 1 if current is None else current.version + 1
    audit.record(actor=actor, project=project, action="guidelines published", detail={"version": version})
    return Guideline.objects.create(project=project, version=version, text=text)
