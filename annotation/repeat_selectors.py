"""How far people agree with themselves, from silent repeats: the same item again, in the opposite order."""

from dataclasses import dataclass

from django.db import connection

from annotation.aggregation.wilson import wilson
from annotation.answering.credit import RIGHT
from annotation.gold_selectors import ROUNDING, credit_sql
from annotation.models.project import Project

# The last answer to each repeat against what stands on the item. What was taken back does not stand.
_CONSISTENCY = f"""
    SELECT annotator_id, count(*), count(*) FILTER (WHERE credit >= %(right)s)
    FROM (
        SELECT r.annotator_id, r.id,
               avg({credit_sql("b", "a")}) AS credit
        FROM annotation_assignment s
        JOIN annotation_judgment r ON r.assignment_id = s.id AND r.repeat
             AND NOT EXISTS (SELECT 1 FROM annotation_judgment later WHERE later.supersedes_id = r.id)
        JOIN annotation_judgment f ON f.item_id = s.item_id AND f.annotator_id = s.annotator_id AND f.live
        JOIN annotation_answer a ON a.judgment_id = f.id
        JOIN annotation_answer b ON b.judgment_id = r.id AND b.criterion = a.criterion
        WHERE s.project_id = %(project)s AND s.repeat AND s.state = 'done'
        GROUP BY r.annotator_id, r.id
    ) repeats
    GROUP BY annotator_id
"""  # noqa: S608  texts of our own


@dataclass(frozen=True)
class Consistency:
    """Repeats answered, and those whose answer earns the credit of a right one against the first answer."""

    repeats: int = 0
    consistent: int = 0

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson, 95 %."""
        return wilson(self.consistent, self.repeats)


def consistency(project: Project) -> dict[int, Consistency]:
    """By annotator; who has answered no repeat is not in it."""
    with connection.cursor() as cursor:
        cursor.execute(_CONSISTENCY, {"project": project.pk, "right": RIGHT - ROUNDING})
        return {row[0]: Consistency(*row[1:]) for row in cursor.fetchall()}
