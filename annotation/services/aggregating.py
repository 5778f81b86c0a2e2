"""Votes become soft labels, one a pair of responses and criterion, whatever the kind of question.

Derived data. `refresh` makes anew what has changed, `rebuild` everything: both give the same rows, for a
label depends on nothing but the votes on its pair and the standing fit. `refit` learns the annotators anew
first; `refresh` does so by itself once there are a tenth more votes than the fit has seen.
"""

from collections.abc import Sequence

from django.db import connection, transaction
from django.db.models import Sum

from annotation.models.project import Project
from annotation.models.quality import AggregationFit, QualityReport, SoftLabel
from annotation.services import fitting
from annotation.services.assigning import in_turn

GROWTH, LEAST_GROWTH = 0.1, 20  # votes beyond those of the fit, before it is made anew
MANY = 20_000  # changed items: then everything is read at once

_DRAIN = """
    WITH drained AS (DELETE FROM annotation_changeditem WHERE project_id = %s RETURNING item_id)
    SELECT DISTINCT item_id FROM drained
"""
_TOUCH_ALL = """
    INSERT INTO annotation_changeditem (project_id, item_id)
    SELECT project_id, id FROM annotation_item WHERE project_id = %s
"""
_TOUCH_ANNOTATOR = """
    INSERT INTO annotation_changeditem (project_id, item_id)
    SELECT i.project_id, i.id FROM annotation_judgment j JOIN annotation_item i ON i.id = j.item_id
    WHERE j.annotator_id = %(annotator)s AND j.live AND i.project_id = %(project)s
"""
_STAGE = """
    CREATE TEMP TABLE stage_label (item_id bigint, criterion text, a_at int, b_at int, p_a float8,
                                   p_tie float8, p_b float8, votes int, effective_votes float8) ON COMMIT DROP
"""
_MERGE = """
    INSERT INTO annotation_softlabel (project_id, item_id, response_a_id, response_b_id, criterion,
                                      p_a, p_tie, p_b, votes, effective_votes, method, updated_at)
    SELECT %(project)s, s.item_id, ra.response_id, rb.response_id, s.criterion, s.p_a, s.p_tie, s.p_b,
           s.votes, s.effective_votes, %(method)s, now()
    FROM stage_label s
    JOIN annotation_itemresponse ra ON ra.item_id = s.item_id AND ra.position = s.a_at
    JOIN annotation_itemresponse rb ON rb.item_id = s.item_id AND rb.position = s.b_at
    ON CONFLICT (item_id, response_a_id, response_b_id, criterion) DO UPDATE
    SET p_a = excluded.p_a, p_tie = excluded.p_tie, p_b = excluded.p_b, votes = excluded.votes,
        effective_votes = excluded.effective_votes, method = excluded.method, updated_at = excluded.updated_at
    WHERE (annotation_softlabel.p_a, annotation_softlabel.p_tie, annotation_softlabel.p_b,
           annotation_softlabel.votes, annotation_softlabel.effective_votes, annotation_softlabel.method)
       IS DISTINCT FROM (excluded.p_a, excluded.p_tie, excluded.p_b, excluded.votes, excluded.effective_votes,
                         excluded.method)
"""
_DROP_THE_REST = """
    DELETE FROM annotation_softlabel l
    WHERE l.project_id = %(project)s AND (%(items)s::bigint[] IS NULL OR l.item_id = ANY(%(items)s))
      AND NOT EXISTS (SELECT 1 FROM stage_label s WHERE s.item_id = l.item_id AND s.criterion = l.criterion)
"""
_COLUMNS = "item_id, criterion, a_at, b_at, p_a, p_tie, p_b, votes, effective_votes"


@transaction.atomic
def refresh(*, project: Project) -> int:
    """Make anew the labels of items that have changed; how many items that were."""
    changed = _drain(project)
    if changed and (len(changed) > MANY or not _label(project, items=changed)):
        _label_all(project)
    elif changed and _outgrown(project):
        _label_all(project, refit=True)
    return len(changed)


@transaction.atomic
def rebuild(*, project: Project) -> int:
    """Make every label anew under the standing fit; how many labels there are now."""
    _drain(project)
    return _label_all(project)


@transaction.atomic
def refit(*, project: Project) -> int:
    """Learn the annotators anew and make every label anew: a function of the votes alone."""
    _drain(project)
    return _label_all(project, refit=True)


def touch_all(*, project: Project) -> None:
    """Every label is to be made anew at the next `refresh`: another method, another weight of experts."""
    with connection.cursor() as cursor:
        cursor.execute(_TOUCH_ALL, [project.pk])


def touch_annotator(*, project: Project, annotator_id: int) -> None:
    """The labels this person has votes on are to be made anew: their votes count differently from now on."""
    with connection.cursor() as cursor:
        cursor.execute(_TOUCH_ANNOTATOR, {"project": project.pk, "annotator": annotator_id})


def _drain(project: Project) -> list[int]:
    """The items that have changed since this was asked last. One at a time in a project."""
    in_turn(f"labels/{project.pk}")
    with connection.cursor() as cursor:
        cursor.execute(_DRAIN, [project.pk])
        changed = [row[0] for row in cursor.fetchall()]
    if changed:
        QualityReport.objects.filter(project=project, stale=False).update(stale=True)
    return changed


def _label_all(project: Project, *, refit: bool = False) -> int:
    if refit or not _label(project, items=None):
        _fit(project)
        _label(project, items=None)
    return SoftLabel.objects.filter(project=project).count()


def _fit(project: Project) -> None:
    AggregationFit.objects.filter(project=project).delete()
    if project.aggregation == Project.Aggregation.SHARES:
        return
    for criterion in project.criterion_names:
        given = fitting.read_votes(project, criterion)
        AggregationFit.objects.create(
            project=project,
            criterion=criterion,
            method=project.aggregation,
            parameters=fitting.fit(project.aggregation, given),
            votes=int((given.votes.weight > 0).sum()),
        )


def _label(project: Project, *, items: Sequence[int] | None) -> bool:
    """Write the labels of these items, or of all; False, with nothing written, where a fit is missing."""
    standing = {fit.criterion: fit for fit in AggregationFit.objects.filter(project=project)}
    found = {}
    for criterion in project.criterion_names:
        fit = standing.get(criterion)
        given = fitting.read_votes(project, criterion, items=items)
        if project.aggregation == Project.Aggregation.SHARES:
            fit = None
        elif fit is None or fit.method != project.aggregation or not fitting.fits(fit, given):
            return False
        found[criterion] = fitting.label(project.aggregation, fit, given)
    _write(project, found, items)
    return True


def _write(project: Project, found: dict[str, fitting.PairLabels], items: Sequence[int] | None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        with cursor.copy(f"COPY stage_label ({_COLUMNS}) FROM STDIN") as copy:
            for criterion, labels in found.items():
                where = (labels.item, labels.a_at, labels.b_at)
                what = (*labels.p.T, labels.votes, labels.effective)
                for item, a_at, b_at, *values in zip(
                    *(column.tolist() for column in (*where, *what)), strict=True
                ):
                    copy.write_row((item, criterion, a_at, b_at, *values))
        cursor.execute(_MERGE, {"project": project.pk, "method": project.aggregation})
        cursor.execute(
            _DROP_THE_REST, {"project": project.pk, "items": None if items is None else list(items)}
        )
        cursor.execute("DROP TABLE stage_label")


def _outgrown(project: Project) -> bool:
    """Whether a fit has seen far fewer votes than there are, or far more."""
    fits = AggregationFit.objects.filter(project=project, method=project.aggregation)
    known = dict(fits.values_list("criterion", "votes"))
    rows = SoftLabel.objects.filter(project=project, criterion__in=known).values("criterion")
    now = {row["criterion"]: row["sum"] for row in rows.annotate(sum=Sum("votes"))}
    return any(
        abs(now.get(criterion, 0) - votes) > max(LEAST_GROWTH, GROWTH * votes)
        for criterion, votes in known.items()
    )
