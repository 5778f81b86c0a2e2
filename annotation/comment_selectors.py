"""Reads of the discussion on items, and of the gaps in the guidelines that were found there."""

from collections.abc import Collection

from accounts.models import Role, User
from annotation import blind_selectors
from annotation.models.project import Guideline, Project
from annotation.models.review import Comment
from annotation.models.work import Item


def thread(item: Item) -> list[Comment]:
    """Oldest first."""
    return list(item.comments.select_related("author", "guideline", "closed_by").order_by("pk"))


def open_gaps(project: Project, viewer: User, role: Role | None) -> tuple[list[Comment], Collection[int]]:
    """What the guidelines leave open, oldest first, and the items whose discussion is hidden from the viewer.

    A gap on an item that somebody may still judge is not theirs to read yet.
    """
    gaps = list(
        project.comments.filter(gap=True, closed_by=None).select_related("author", "guideline").order_by("pk")
    )
    return gaps, blind_selectors.hidden_items(viewer, role, project, [gap.item_id for gap in gaps])


def closed_by(version: Guideline, viewer: User, role: Role | None) -> tuple[list[Comment], Collection[int]]:
    """The gaps that a version fills, and the items whose discussion is hidden from the viewer."""
    gaps = list(version.closes.select_related("author").order_by("pk"))
    items = [gap.item_id for gap in gaps]
    return gaps, blind_selectors.hidden_items(viewer, role, version.project, items)
