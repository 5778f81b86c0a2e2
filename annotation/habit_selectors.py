"""Reads for `services.assessing`: answers in the order they were given, and who was compared with whom."""

import numpy as np
import numpy.typing as npt

from annotation.bulk_reads import Kind, read
from annotation.models.project import Project
from annotation.pair_votes import votes_sql

IntArray = npt.NDArray[np.int64]

# What was pressed: the side of the screen, or where nobody knows it, the response; a ranking or rating as a
# whole, as the screen told it.
_CHOICE = """
    CASE WHEN a.choice IN ('tie', 'both_bad') THEN 1
         WHEN (a.choice = 'a') = coalesce(j.display_order[1] = 0, true) THEN 0 ELSE 2 END
"""
_ORDER = """
    hashtext((SELECT array_agg((coalesce(a.ranks, a.ratings))[o + 1] ORDER BY k)
              FROM unnest(coalesce(j.display_order, ARRAY(SELECT (g - 1)::smallint FROM generate_series(
                   1, cardinality(coalesce(a.ranks, a.ratings))) g))) WITH ORDINALITY AS d(o, k))::text)
"""
_ANSWERS = """
    SELECT j.annotator_id, {answer} AS answer
    FROM annotation_judgment j
    JOIN annotation_item i ON i.id = j.item_id
    JOIN annotation_answer a ON a.judgment_id = j.id AND a.criterion = %(criterion)s
    WHERE i.project_id = %(project)s AND NOT i.is_gold AND j.live AND j.source <> 'expert'
    ORDER BY j.annotator_id, j.judged_at, j.id
"""
_COMPARED = """
    SELECT v.annotator_id, v.prompt_id, ra.response_id AS first, rb.response_id AS second, v.lead
    FROM ({votes}) v
    JOIN annotation_itemresponse ra ON ra.item_id = v.item_id AND ra.position = v.a_at
    JOIN annotation_itemresponse rb ON rb.item_id = v.item_id AND rb.position = v.b_at
    WHERE v.criterion = %(criterion)s AND NOT v.expert
    ORDER BY v.judged_at
"""
_OF_ANSWERS: dict[str, Kind] = {"annotator_id": "bigint", "answer": "int"}
_OF_COMPARED: dict[str, Kind] = {
    "annotator_id": "bigint", "prompt_id": "bigint", "first": "bigint", "second": "bigint",
    "lead": "smallint",
}  # fmt: skip


def answers_in_order(project: Project) -> dict[int, IntArray]:
    """By annotator: a code of each answer under the main criterion, oldest first; equal where answers are."""
    answer = _CHOICE if project.kind == Project.Kind.PAIRWISE else _ORDER
    rows = read(_ANSWERS.format(answer=answer), _values(project), _OF_ANSWERS)
    people, starts = np.unique(rows["annotator_id"], return_index=True)
    parts = np.split(rows["answer"], starts[1:]) if len(people) else []
    return dict(zip(people.tolist(), parts, strict=True))


def compared(project: Project) -> dict[str, IntArray]:
    """Every comparison of two responses of a prompt: annotator_id, prompt_id, first, second, lead."""
    return read(_COMPARED.format(votes=votes_sql(project)), _values(project), _OF_COMPARED)


def _values(project: Project) -> dict[str, object]:
    return {"project": project.pk, "criterion": project.main_criterion}
