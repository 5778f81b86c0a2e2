"""Every answer as votes on pairs of responses, whatever the kind of question: the SQL that reads share.

A choice is one vote on the item's two responses. A ranking or rating of n responses is n(n−1)/2 votes: on
each pair the higher one wins, equals tie. “Both are bad” says that neither is better: a tie.

A vote counts unless its annotator is paused or excluded. A reviewer's decision is a vote as well, but one
that was given with the votes in sight: it goes into labels, and never into agreement or reliability.
"""

from annotation.models.project import Project

# Live judgments on work items of %(project)s; gold measures people against the expert and is left out.
_FROM = """
    FROM annotation_answer a
    JOIN annotation_judgment j ON j.id = a.judgment_id AND j.live
    JOIN annotation_item i ON i.id = j.item_id
"""
_WHERE = "WHERE i.project_id = %(project)s AND NOT i.is_gold"
# A list that is hashed once: of a join without match the database expects so few rows that it then loops.
_COUNTS = """j.annotator_id NOT IN (
        SELECT st.annotator_id FROM annotation_standing st
        WHERE st.project_id = %(project)s AND st.state <> 'active') AS counts"""
_OF_VOTE = f"{_COUNTS}, j.source = 'expert' AS expert, j.judged_at, i.prompt_id"
_CHOICES = f"""
    SELECT j.item_id, j.annotator_id, a.criterion, 0 AS a_at, 1 AS b_at,
           CASE a.choice WHEN 'a' THEN 1 WHEN 'b' THEN -1 ELSE 0 END AS lead,
           coalesce(j.display_order[1] = 1, false) AS swapped, {_OF_VOTE}
    {_FROM} {_WHERE} AND a.choice <> ''
"""
_ORDERS = f"""
    SELECT j.item_id, j.annotator_id, a.criterion, v.a_at, v.b_at, v.lead,
           coalesce(array_position(j.display_order, v.b_at::smallint)
                    < array_position(j.display_order, v.a_at::smallint), false) AS swapped, {_OF_VOTE}
    {_FROM} CROSS JOIN LATERAL laurel_pair_votes(a.choice, a.ranks, a.ratings) v {_WHERE}
"""
# What a ranking or rating says of each response: its place in the item (from 0), its rank or points; the rest
# as `votes_sql` has it. No project of pairs has any.
TOLD_SQL = f"""
    SELECT j.item_id, j.annotator_id, a.criterion, r.place - 1 AS place, r.said, {_OF_VOTE}
    {_FROM} CROSS JOIN LATERAL unnest(coalesce(a.ranks, a.ratings)) WITH ORDINALITY AS r(said, place) {_WHERE}
"""


def votes_sql(project: Project) -> str:
    """A query of the project's votes on pairs, for a subselect; its one parameter is %(project)s.

    Columns: item_id, annotator_id, criterion, a_at < b_at (positions from 0), lead (1: a, 0: tie, −1: b),
    swapped (b stood before a on the screen), counts, expert, judged_at, prompt_id.
    """
    return _CHOICES if project.kind == Project.Kind.PAIRWISE else _ORDERS


def counts_sql(project: Project, *, where: str = "true") -> str:
    """Votes of annotators that count, per pair and criterion: item_id, criterion, a_at, b_at, a, tie, b."""
    return f"""
        SELECT v.item_id, v.criterion, v.a_at, v.b_at,
               count(*) FILTER (WHERE v.lead = 1) AS a,
               count(*) FILTER (WHERE v.lead = 0) AS tie,
               count(*) FILTER (WHERE v.lead = -1) AS b
        FROM ({votes_sql(project)}) v WHERE v.counts AND NOT v.expert AND {where}
        GROUP BY v.item_id, v.criterion, v.a_at, v.b_at
    """  # noqa: S608  texts of our own
