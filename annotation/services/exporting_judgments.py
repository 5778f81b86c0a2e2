"""Hand judgments over one by one, with the order in which their responses were shown."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Cast, Coalesce, NullIf
from django.utils.crypto import salted_hmac

from accounts.models import User
from accounts.services import audit
from annotation.interchange import judgments
from annotation.interchange.atomic_file import atomic_file
from annotation.interchange.judgments import JudgmentRow, encode
from annotation.models.project import Project
from annotation.models.work import Assignment, ItemResponse, Judgment
from annotation.services.judging import given

ROWS_AT_ONCE = 2_000


def export_judgments(*, project: Project, out: Path, names: bool = False, actor: User | None = None) -> int:
    """Write all judgments of the project to the file `out`, one JSON object a line; how many there are.

    Annotators are pseudonyms unless `names`. Raises `FileInTheWayError`.
    """
    with atomic_file(out) as stream, transaction.atomic():  # one state of the database from first to last
        count = judgments.write(rows_of(project, names=names), stream)
    _note(project, actor, names=names)
    return count


def lines(*, project: Project, names: bool = False, actor: User | None = None) -> Iterator[bytes]:
    """The same as a stream for a download."""
    _note(project, actor, names=names)
    return (encode(row) for row in rows_of(project, names=names))


def rows_of(project: Project, *, names: bool) -> Iterator[JudgmentRow]:
    """Oldest first; memory is that of a few thousand rows."""
    who: dict[int, str] = {}
    for judgment in _judgments(project).iterator(chunk_size=ROWS_AT_ONCE):
        annotator = judgment.annotator_id
        if annotator not in who:
            who[annotator] = judgment.annotator.username if names else pseudonym(project, annotator)
        yield _row(judgment, who[annotator])


def pseudonym(project: Project, annotator_id: int) -> str:
    """The same person under the same name in every export of the project, and in no other project."""
    digest = salted_hmac("annotation.export", f"{project.pk}/{annotator_id}", algorithm="sha256").hexdigest()
    return f"annotator-{digest[:12]}"


def _judgments(project: Project) -> QuerySet[Judgment]:
    name = Coalesce(
        NullIf("response__external_id", Value("")),
        Cast("response_id", TextField()),
        output_field=TextField(),
    )
    places = (
        ItemResponse.objects.filter(item=OuterRef("item"))
        .order_by()
        .values("item")
        .annotate(names=ArrayAgg(name, order_by="position"))
        .values("names")
    )
    return (
        Judgment.objects.filter(item__project=project)
        .select_related("item", "annotator", "guideline", "assignment")
        .prefetch_related("answers")
        .annotate(
            responses=Subquery(places),
            replaced=Exists(Judgment.objects.filter(supersedes=OuterRef("pk"))),
        )
        .order_by("pk")
    )


def _row(judgment: Any, annotator: str) -> JudgmentRow:
    item = judgment.item
    return JudgmentRow(
        judgment=judgment.pk,
        item=item.external_id or str(item.pk),
        prompt=str(item.prompt_id),
        annotator=annotator,
        responses=judgment.responses,
        answers=[given(answer).as_json() for answer in judgment.answers.all()],
        source=judgment.source,
        standing=_standing(judgment),
        gold=item.is_gold,
        repeat=judgment.repeat,
        judged_at=judgment.judged_at,
        shown=judgment.display_order,
        reasons=judgment.reasons,
        comment=judgment.comment,
        spans=judgment.spans,
        seconds=judgment.seconds,
        guideline_version=judgment.guideline.version if judgment.guideline else None,
        supersedes=judgment.supersedes_id,
    )


def _standing(judgment: Any) -> str:
    if judgment.live:
        return "live"
    if judgment.replaced:
        return "superseded"
    stands = judgment.repeat and judgment.assignment.state == Assignment.State.DONE
    return "repeat" if stands else "taken back"


def _note(project: Project, actor: User | None, *, names: bool) -> None:
    audit.record(actor=actor, project=project, action="judgments exported", detail={"names": names})
