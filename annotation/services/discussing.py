"""The discussion of an item among those who review it, and the gaps in the guidelines it brings to light."""

from collections.abc import Collection

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from annotation import selectors, vote_selectors
from annotation.models.project import Guideline, Project
from annotation.models.review import Comment
from annotation.models.work import Item
from annotation.typed_text import cleaned

LONGEST_COMMENT = 5_000


class CannotSay(ValueError):
    """The comment cannot be kept as it is; the message says why."""


@transaction.atomic
def say(*, item: Item, author: User, text: str, gap: bool = False) -> Comment:
    """A comment on the item; a gap is one in the guidelines that are in force. The same twice is one.

    Raises `CannotSay`: for nothing or too much, and from those who must not see the votes yet.
    """
    text = cleaned(text)
    if not text:
        raise CannotSay(_("Write something first."))
    if len(text) > LONGEST_COMMENT:
        raise CannotSay(
            _("The comment has %(n)s characters; shorten it to %(most)s.")
            % {"n": len(text), "most": LONGEST_COMMENT}
        )
    if vote_selectors.why_blind(author, selectors.role_in(author, item.project), item):
        raise CannotSay(_("Judge the item, or show its votes, before you discuss it."))
    Item.objects.select_for_update(no_key=True).get(pk=item.pk)  # a double click is one comment
    last = item.comments.order_by("-pk").first()
    if last is not None and (last.author_id, last.text, last.gap) == (author.pk, text, gap):
        return last
    guideline = selectors.latest_guidelines(item.project) if gap else None
    return Comment.objects.create(
        project=item.project, item=item, author=author, text=text, gap=gap, guideline=guideline
    )


def close_gaps(*, project: Project, gaps: Collection[int], version: Guideline) -> int:
    """Those of the project's open gaps are closed by this version of its guidelines; how many."""
    found = project.comments.filter(pk__in=gaps, gap=True, closed_by=None)
    return found.update(closed_by=version)
