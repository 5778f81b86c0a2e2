"""Votes become soft labels, one a pair of responses and criterion, whatever the kind of question.

Derived data: `rebuild` gives the same rows whenever it runs.
"""

import numpy as np
from django.db import connection, transaction

from annotation.aggregation.shares import vote_shares
from annotation.models.project import Project
from annotation.models.quality import SoftLabel
from annotation.pair_votes import counts_sql

METHOD = "vote-shares"

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

_COLUMNS = "item_id, criterion, a_at, b_at, p_a, p_tie, p_b, votes, effective_votes"


@transaction.atomic
def rebuild(*, project: Project) -> int:
    """Make the project's soft labels what its live judgments say; how many there are now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"labels/{project.pk}"])
        cursor.execute(counts_sql(project), {"project": project.pk})
        rows = cursor.fetchall()
        cursor.execute(
            "CREATE TEMP TABLE stage_label (item_id bigint, criterion text, a_at int, b_at int, p_a float8, "
            "p_tie float8, p_b float8, votes int, effective_votes float8) ON COMMIT DROP"
        )
        if rows:
            labels = vote_shares(np.array([row[4:] for row in rows], dtype=np.int64))
            columns = (labels.p_a, labels.p_tie, labels.p_b, labels.votes, labels.effective_votes)
            values = zip(*(column.tolist() for column in columns), strict=True)
            with cursor.copy(f"COPY stage_label ({_COLUMNS}) FROM STDIN") as copy:
                for row, value in zip(rows, values, strict=True):
                    copy.write_row((*row[:4], *value))
        cursor.execute(_MERGE, {"project": project.pk, "method": METHOD})
        cursor.execute(
            "DELETE FROM annotation_softlabel l WHERE l.project_id = %s AND NOT EXISTS "
            "(SELECT 1 FROM stage_label s WHERE s.item_id = l.item_id AND s.criterion = l.criterion)",
            [project.pk],
        )
        cursor.execute("DROP TABLE stage_label")
    return SoftLabel.objects.filter(project=project).count()
