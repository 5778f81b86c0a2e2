"""Spot checks: a random sample of finished items is judged again by reviewers who know nothing of the votes.

The sample is drawn by a hash of each item's number alone: whatever the content, the order of handing out or
the moment, the same items are drawn; a higher rate draws those of the lower one and some more.
"""

from typing import Final

from django.db import connection, transaction

from annotation.models.project import Project
from annotation.services.assigning import in_turn

# Finished: everybody who was to answer has. The label holds its most probable answer under each criterion: of
# a pair its side, else neither. Of more responses their order by pairs won less pairs lost, equal ones tied.
_DRAW: Final = """
    WITH chosen AS MATERIALIZED (
        SELECT i.id FROM annotation_item i
        WHERE i.project_id = %(project)s AND i.slots_left = 0 AND NOT i.is_gold AND i.retired_at IS NULL
          AND (hashtextextended('spot/' || i.id, 0) & 9223372036854775807) / 9223372036854775808.0::float8
              < %(rate)s::float8
    ), drawn AS MATERIALIZED (
        SELECT i.id FROM chosen i
        WHERE NOT EXISTS (SELECT 1 FROM annotation_review r WHERE r.item_id = i.id AND r.kind = 'spot_check')
          AND NOT EXISTS (SELECT 1 FROM annotation_assignment s WHERE s.item_id = i.id AND s.state = 'open')
    ), leads AS (
        SELECT l.item_id, l.criterion, a.position AS a_at, b.position AS b_at,
               CASE WHEN l.p_a > greatest(l.p_tie, l.p_b) + 1e-9 THEN 1
                    WHEN l.p_b > greatest(l.p_tie, l.p_a) + 1e-9 THEN -1 ELSE 0 END AS lead
        FROM drawn d
        JOIN annotation_softlabel l ON l.item_id = d.id
        JOIN annotation_itemresponse a ON a.item_id = d.id AND a.response_id = l.response_a_id
        JOIN annotation_itemresponse b ON b.item_id = d.id AND b.response_id = l.response_b_id
    ), placed AS (
        SELECT item_id, criterion, at,
               dense_rank() OVER (PARTITION BY item_id, criterion ORDER BY sum(lead) DESC) AS rank
        FROM (SELECT item_id, criterion, a_at AS at, lead FROM leads
              UNION ALL SELECT item_id, criterion, b_at, -lead FROM leads) sides
        GROUP BY item_id, criterion, at
    ), answers AS (
        SELECT item_id, criterion, CASE WHEN %(choices)s
               THEN jsonb_build_object('criterion', criterion, 'choice', CASE lead WHEN 1 THEN 'a' WHEN -1
                                       THEN 'b' ELSE 'tie' END)
               ELSE (SELECT jsonb_build_object('criterion', l.criterion,
                                               'ranks', jsonb_agg(p.rank ORDER BY p.at))
                     FROM placed p WHERE p.item_id = l.item_id AND p.criterion = l.criterion) END AS answer
        FROM (SELECT DISTINCT ON (item_id, criterion) item_id, criterion, lead FROM leads) l
    )
    INSERT INTO annotation_review (project_id, item_id, kind, state, label, blind, decision, reason,
                                   created_at)
    SELECT %(project)s, item_id, 'spot_check', 'open', jsonb_agg(answer ORDER BY criterion), '[]', '[]', '',
           now()
    FROM answers GROUP BY item_id HAVING bool_or(criterion = %(criterion)s)
    ON CONFLICT DO NOTHING
"""


@transaction.atomic
def draw(*, project: Project) -> int:
    """Put the finished items that the rate draws before the reviewers, each once; how many are new.

    An item waits for its label: without one, or without votes that count, it is drawn later.
    """
    if project.spot_check_rate <= 0:
        return 0
    values: dict[str, int | float | str | bool] = {
        "project": project.pk,
        "rate": project.spot_check_rate,
        "criterion": project.main_criterion,
        "choices": project.kind == Project.Kind.PAIRWISE,
    }
    in_turn(f"spot/{project.pk}")
    with connection.cursor() as cursor:
        cursor.execute(_DRAW, values)
        return int(cursor.rowcount)


def draw_everywhere() -> int:
    """The same for every project that is not closed."""
    projects = Project.objects.exclude(state=Project.State.CLOSED).filter(spot_check_rate__gt=0)
    return sum(draw(project=project) for project in projects.order_by("pk"))
