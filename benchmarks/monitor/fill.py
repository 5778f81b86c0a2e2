"""A project of a million judgments by a thousand people, written by the database itself.

Every item has a truth; a person says it with a skill of their own and guesses otherwise, a few with none at
all. Half of the items are finished, on a quarter of the prompts the same people judge every pair.
"""

from __future__ import annotations

from typing import Any

from benchmarks.annotate.stage import ANSWER, QUESTION

ITEMS, PEOPLE, DAYS = 200_000, 1_000, 60
OVERLAP = 6  # even items have so many votes, odd ones two fewer: five on average
GOLD_EVERY = 50  # 2 % of the items
PAUSED_EVERY, LOST_EVERY = 100, 40  # people who are paused; who only guess

_PEOPLE = """
    INSERT INTO accounts_user (password, is_superuser, username, first_name, last_name, email, is_staff,
        is_active, date_joined, origin, display_name)
    SELECT '!', false, %(slug)s || '-' || g, '', '', '', false, true, now(), 'person', 'Person ' || g
    FROM generate_series(1, %(people)s) g;
    INSERT INTO accounts_membership (user_id, project_id, role, "group", created_at)
    SELECT u.id, %(project)s, 'annotator', (ARRAY['office', 'crowd', 'experts', 'students'])[1 + u.id %% 4],
        now()
    FROM accounts_user u WHERE u.username LIKE %(slug)s || '-%%';
    CREATE TEMP TABLE crowd AS
    SELECT id, row_number() OVER (ORDER BY id) - 1 AS seat, (id %% %(lost)s) = 0 AS lost,
        0.55 + 0.43 * random() AS skill, exp(random_normal(3.2, 0.4)) AS pace
    FROM accounts_user WHERE username LIKE %(slug)s || '-%%';
    CREATE UNIQUE INDEX ON crowd (seat);
"""
_CONTENT = """
    INSERT INTO annotation_prompt (project_id, key, messages, metadata, created_at)
    SELECT %(project)s, encode(sha256(('prompt ' || g)::bytea), 'hex'),
        jsonb_build_array(jsonb_build_object('role', 'user', 'content', format(%(question)s, g))),
        jsonb_build_object('category',
            (ARRAY['boats', 'code', 'letters', 'maths', 'cooking', 'law', 'health', 'travel'])[1 + g %% 8]),
        now()
    FROM generate_series(1, %(items)s / 4) g;
    INSERT INTO annotation_response (prompt_id, key, external_id, text, model, metadata, created_at)
    SELECT p.id, encode(sha256((p.key || side)::bytea), 'hex'), '', format(%(answer)s, side, p.id),
        'model-' || side, '{}', now()
    FROM annotation_prompt p, generate_series(1, 4) side WHERE p.project_id = %(project)s;
"""
# Of the four responses of a prompt the pairs 1-2, 2-3, 1-3 (a round of three) and 3-4.
_ITEMS = """
    CREATE TEMP TABLE pairs AS
    SELECT p.id AS prompt_id, p.key, n, row_number() OVER (ORDER BY p.id, n) - 1 AS number, one, other
    FROM annotation_prompt p,
         (VALUES (1, 1, 2), (2, 2, 3), (3, 1, 3), (4, 3, 4)) v(n, one, other)
    WHERE p.project_id = %(project)s;
    INSERT INTO annotation_item (project_id, prompt_id, key, response_set, external_id, origin, priority,
        shuffle, slots_left, metadata, created_at)
    SELECT %(project)s, prompt_id, encode(sha256((key || n)::bytea), 'hex'),
        encode(sha256((key || n || 'set')::bytea), 'hex'), 'item-' || number,
        CASE WHEN number %% %(gold)s = 0 THEN 'gold' ELSE 'imported' END, 0, random(),
        CASE WHEN number %% %(gold)s = 0 THEN 32767 WHEN number %% 2 = 0 THEN 0 ELSE 2 END, '{}', now()
    FROM pairs;
    CREATE TEMP TABLE work AS
    SELECT i.id, pairs.*, i.is_gold,
        (ARRAY['a', 'a', 'b', 'b', 'tie'])[1 + floor(5 * random())::int] AS truth,
        CASE WHEN random() < 0.25 THEN 0.4 ELSE 1 END AS clear
    FROM pairs JOIN annotation_item i ON i.project_id = %(project)s AND i.external_id = 'item-' || number;
    INSERT INTO annotation_itemresponse (item_id, response_id, position)
    SELECT w.id, r.id, CASE WHEN r.place = w.one THEN 0 ELSE 1 END
    FROM work w JOIN (
        SELECT id, prompt_id, row_number() OVER (PARTITION BY prompt_id ORDER BY id) AS place
        FROM annotation_response) r ON r.prompt_id = w.prompt_id AND r.place IN (w.one, w.other);
    INSERT INTO annotation_goldanswer (item_id, criterion, choice, reason, source, created_at)
    SELECT id, 'overall', truth, 'The other one leaves out the tide.', 'written', now()
    FROM work WHERE is_gold;
"""
# Seats six apart by a stride under 160 are six people; with the prompt's number all its pairs have the same.
_JUDGMENTS = """
    CREATE TEMP TABLE votes AS
    SELECT w.id AS item_id, c.id AS annotator_id, w.truth, now() - interval '1 day' * %(days)s
            * ((w.number + 0.5) / %(items)s + 0.002 * random()) * 0.99 AS at,
        NOT c.lost AND random() < c.skill * w.clear AS knows, random() AS guess, random() < 0.5 AS turned,
        round((c.pace * exp(random_normal(0, 0.5)))::numeric, 1) AS seconds
    FROM work w
    CROSS JOIN generate_series(0, CASE WHEN w.number %% 2 = 0 THEN 5 ELSE 3 END) v
    CROSS JOIN LATERAL (SELECT CASE WHEN w.prompt_id %% 4 = 0 THEN w.prompt_id ELSE w.number END AS from_) s
    JOIN crowd c ON c.seat = (s.from_ * 7 + v * (1 + s.from_ / 1000 %% 159)) %% %(people)s;
    INSERT INTO annotation_assignment (item_id, project_id, annotator_id, state, surplus, repeat,
        display_order, note, lease_expires_at, created_at, shown_at, finished_at)
    SELECT item_id, %(project)s, annotator_id, 'done', false, false,
        CASE WHEN turned THEN '{1,0}'::smallint[] ELSE '{0,1}' END, '', at, at, at, at FROM votes;
    INSERT INTO annotation_judgment (item_id, annotator_id, assignment_id, idempotency_key, body_hash, source,
        live, repeat, display_order, reasons, comment, spans, seconds, judged_at, created_at)
    SELECT s.item_id, s.annotator_id, s.id, 'bench-' || s.id, '', 'browser', true, false, s.display_order,
        '{}', '', '[]', v.seconds, v.at, v.at
    FROM votes v JOIN annotation_assignment s USING (item_id, annotator_id);
    INSERT INTO annotation_answer (judgment_id, criterion, choice)
    SELECT j.id, 'overall', CASE WHEN knows THEN truth WHEN guess < 0.45 THEN 'a' WHEN guess < 0.8 THEN 'b'
        WHEN guess < 0.93 THEN 'tie' ELSE 'both_bad' END
    FROM votes v JOIN annotation_judgment j USING (item_id, annotator_id);
"""
_REPEATS = """
    INSERT INTO annotation_assignment (item_id, project_id, annotator_id, state, surplus, repeat,
        display_order, note, lease_expires_at, created_at, shown_at, finished_at)
    SELECT item_id, project_id, annotator_id, 'done', true, true,
        ARRAY[display_order[2], display_order[1]], '', finished_at, finished_at, finished_at, finished_at
    FROM annotation_assignment WHERE project_id = %(project)s AND id %% 100 = 0;
    INSERT INTO annotation_judgment (item_id, annotator_id, assignment_id, idempotency_key, body_hash, source,
        live, repeat, display_order, reasons, comment, spans, seconds, judged_at, created_at)
    SELECT item_id, annotator_id, id, 'bench-' || id, '', 'browser', false, true, display_order, '{}', '',
        '[]', 20, finished_at, finished_at
    FROM annotation_assignment WHERE project_id = %(project)s AND repeat;
    INSERT INTO annotation_answer (judgment_id, criterion, choice)
    SELECT r.id, 'overall', CASE WHEN random() < 0.85 THEN a.choice ELSE 'tie' END
    FROM annotation_judgment r
    JOIN annotation_judgment f ON f.item_id = r.item_id AND f.annotator_id = r.annotator_id AND f.live
    JOIN annotation_answer a ON a.judgment_id = f.id
    JOIN annotation_item i ON i.id = r.item_id AND i.project_id = %(project)s
    WHERE r.repeat;
"""
_TRUST = """
    INSERT INTO annotation_standing (project_id, annotator_id, state, reason, evidence, automatic, changed_at)
    SELECT %(project)s, id, 'paused', 'Too quick.', '[]', false, now()
    FROM crowd WHERE seat %% %(paused)s = 0;
    INSERT INTO annotation_message (project_id, annotator_id, kind, text, evidence, created_at)
    SELECT %(project)s, c.id, 'note', 'Please read both answers to the end.', '[]', now()
    FROM crowd c, generate_series(1, 5) WHERE c.seat %% 10 = 0;
    INSERT INTO annotation_alert (project_id, kind, annotator_id, figures, raised_at, ended_at)
    SELECT %(project)s, 'gold', c.id, '{"right": 3, "answered": 12}', now() - interval '1 day' * n,
        now() - interval '1 day' * (n - 1)
    FROM crowd c, generate_series(1, 5) n WHERE c.seat %% 10 = 1;
    INSERT INTO annotation_assignment (item_id, project_id, annotator_id, state, surplus, repeat,
        display_order, note, lease_expires_at, created_at, shown_at, finished_at)
    SELECT w.id, %(project)s, %(manager)s, 'flagged', true, false, '{0,1}', 'The prompt is cut off.', now(),
        now(), now(), now()
    FROM work w WHERE w.number %% 500 = 1;
    INSERT INTO annotation_review (project_id, item_id, kind, state, reviewer_id, label, blind, decision,
        reason, "right", created_at, decided_at)
    SELECT %(project)s, w.id, CASE WHEN w.number %% 400 = 2 THEN 'adjudication' ELSE 'spot_check' END, 'done',
        %(manager)s, said, said, said, '', w.number %% 400 <> 2, now(), now()
    FROM work w, (SELECT '[{"criterion": "overall", "choice": "a"}]'::jsonb AS said) s
    WHERE w.number %% 100 = 2 AND NOT w.is_gold;
    INSERT INTO annotation_modelodds (project_id, item_id, response_a_id, response_b_id, p_a, p_tie, p_b,
        odds, weighed_at)
    SELECT %(project)s, w.id, a.response_id, b.response_id, 0.7, 0.1, 0.2, 0.9 * (w.number %% 97) / 97, now()
    FROM work w
    JOIN annotation_itemresponse a ON a.item_id = w.id AND a.position = 0
    JOIN annotation_itemresponse b ON b.item_id = w.id AND b.position = 1
    WHERE NOT w.is_gold AND w.number %% 2 = 0;
"""
STEPS = {
    "people": _PEOPLE,
    "prompts and responses": _CONTENT,
    "items": _ITEMS,
    "judgments": _JUDGMENTS,
    "repeats": _REPEATS,
    "standing, alerts, reviews": _TRUST,
}


def fill(project: Any, manager: Any, *, items: int = ITEMS) -> None:
    """All rows in one session. Foreign keys are not looked up one by one, and no trigger notes a change."""
    from django.db import connection, transaction

    from annotation.services import aggregating

    values = {
        "project": project.pk, "slug": project.slug, "manager": manager.pk, "items": items, "people": PEOPLE,
        "days": DAYS, "gold": GOLD_EVERY, "paused": PAUSED_EVERY, "lost": LOST_EVERY,
        "question": QUESTION, "answer": ANSWER,
    }  # fmt: skip
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("SELECT setseed(0.5)")
        cursor.execute("SET LOCAL max_parallel_workers_per_gather = 0")  # the same numbers each time
        for name, statements in STEPS.items():
            print(f"  {name}", flush=True)
            for statement in statements.split(";"):
                if statement.strip():
                    cursor.execute(statement, values)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    aggregating.touch_all(project=project)
