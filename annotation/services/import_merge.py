"""The SQL half of an import: staging tables, the conflicts found in them, and the merge."""

from django.db.backends.utils import CursorWrapper

from annotation.models.project import Project
from annotation.services.slots import GOLD_SLOTS

MANY_ROWS = 2_000  # after so many the planner's statistics are out of date until autovacuum comes by
_FRESH_STATISTICS = (
    "ANALYZE annotation_prompt, annotation_response, annotation_item, annotation_itemresponse, "
    "annotation_goldanswer, annotation_judgment, annotation_answer, accounts_user"
)

_STAGING = """
    CREATE TEMP TABLE stage_line (line int, prompt_key text, response_keys text[]) ON COMMIT DROP;
    CREATE TEMP TABLE stage_prompt (line int, key text, messages jsonb) ON COMMIT DROP;
    CREATE TEMP TABLE stage_response (line int, prompt_key text, key text, external_id text, text text,
        model text, metadata jsonb) ON COMMIT DROP;
    CREATE TEMP TABLE stage_item (line int, key text, prompt_key text, external_id text, response_keys text[],
        response_set text, metadata jsonb, gold text) ON COMMIT DROP;
    CREATE TEMP TABLE stage_gold (line int, item_key text, criterion text, choice text, ranks int[],
        ratings int[], reason text) ON COMMIT DROP;
    CREATE TEMP TABLE stage_judgment (ref int, line int, item_key text, username text, display_name text,
        idempotency_key text, body_hash text, comment text, seconds float8, at timestamptz) ON COMMIT DROP;
    CREATE TEMP TABLE stage_answer (ref int, line int, criterion text, choice text, strength int, ranks int[],
        ratings int[]) ON COMMIT DROP;
    CREATE TEMP TABLE stage_bad (line int, message text) ON COMMIT DROP;
"""

# Each finds lines that contradict what is stored, or an earlier line of the same file, and says how.
_CONFLICTS = (
    """
    SELECT s.line, format('response id “%%s” already stands for another text: give the new text its own id',
                          s.external_id)
    FROM (SELECT *, first_value(text) OVER (PARTITION BY prompt_key, key ORDER BY line) AS first_text
          FROM stage_response) s
    LEFT JOIN annotation_prompt p ON p.project_id = %(project)s AND p.key = s.prompt_key
    LEFT JOIN annotation_response r ON r.prompt_id = p.id AND r.key = s.key
    WHERE s.text <> coalesce(r.text, s.first_text)
    """,
    """
    WITH known AS (
        SELECT i.key, array_agg(r.key::text ORDER BY ir.position) AS response_keys
        FROM annotation_item i
        JOIN annotation_itemresponse ir ON ir.item_id = i.id
        JOIN annotation_response r ON r.id = ir.response_id
        WHERE i.project_id = %(project)s AND i.key IN (SELECT key FROM stage_item)
        GROUP BY i.key
    )
    SELECT s.line, CASE WHEN s.external_id = '' THEN
               'the same responses stand in another order elsewhere: keep one order, votes follow it'
           ELSE format('item id “%%s” already stands for other responses or another order of them: '
                       'give the new one its own id', s.external_id) END
    FROM (SELECT *, first_value(response_keys) OVER (PARTITION BY key ORDER BY line) AS first_keys
          FROM stage_item) s
    LEFT JOIN known ON known.key = s.key
    WHERE s.response_keys <> coalesce(known.response_keys, s.first_keys)
    """,
    """
    WITH twins AS (
        SELECT s.line, s.key, s.external_id,
               first_value(s.key) OVER w AS first_key, first_value(s.line) OVER w AS first_line,
               i.key AS known_key, i.external_id AS known_id
        FROM stage_item s
        LEFT JOIN annotation_item i ON i.project_id = %(project)s AND i.response_set = s.response_set
             AND i.is_gold = (s.gold IS NOT NULL)
        WINDOW w AS (PARTITION BY s.response_set, s.gold IS NOT NULL ORDER BY s.line)
    )
    SELECT line, CASE WHEN known_id = '' THEN
               'the same responses are already an item without an id of its own: leave this line out'
           WHEN known_key IS NOT NULL THEN
               format('the same responses are already item “%%s”: use its id, or leave this line out',
                      known_id)
           ELSE format('the same responses stand on line %%s under another id: merge the two lines',
                       first_line) END
    FROM twins WHERE key <> coalesce(known_key, first_key)
    """,
    """
    SELECT s.line, format('annotator “%%s” has already judged this item differently: votes are never '
                          'overwritten', s.display_name)
    FROM (SELECT *, first_value(body_hash) OVER (PARTITION BY idempotency_key ORDER BY line) AS first_hash
          FROM stage_judgment) s
    LEFT JOIN annotation_judgment j ON j.idempotency_key = s.idempotency_key
    WHERE s.body_hash <> coalesce(j.body_hash, s.first_hash)
    """,
    """
    WITH known AS (
        SELECT i.key, true AS known, g.gold FROM annotation_item i LEFT JOIN (
            SELECT a.item_id, string_agg(
                a.criterion || ':' || a.choice || ':' || coalesce(a.ranks::text, '') || ':'
                || coalesce(a.ratings::text, ''), E'\n' ORDER BY a.criterion COLLATE "C") AS gold
            FROM annotation_goldanswer a JOIN annotation_item gi ON gi.id = a.item_id
            WHERE gi.project_id = %(project)s GROUP BY a.item_id
        ) g ON g.item_id = i.id
        WHERE i.project_id = %(project)s AND i.key IN (SELECT key FROM stage_item)
    )
    SELECT s.line, CASE WHEN coalesce(k.gold, CASE WHEN k.known IS NULL THEN s.first_gold END) IS NULL THEN
               'this item already stands without a gold answer: give the gold one its own id'
           WHEN s.gold IS NULL THEN
               'this item already stands with a gold answer: give the one without its own id'
           ELSE 'this item already has another gold answer: gold is never overwritten' END
    FROM (SELECT *, first_value(gold) OVER (PARTITION BY key ORDER BY line) AS first_gold
          FROM stage_item) s
    LEFT JOIN known k ON k.key = s.key
    WHERE s.gold IS DISTINCT FROM (CASE WHEN k.known IS NULL THEN s.first_gold ELSE k.gold END)
    """,
)

_MERGE = {
    "prompts": """
        INSERT INTO annotation_prompt (project_id, key, messages, metadata, created_at)
        SELECT DISTINCT ON (key) %(project)s, key, messages, '{}'::jsonb, now() FROM stage_prompt
        ORDER BY key, line
        ON CONFLICT (project_id, key) DO NOTHING
    """,
    "responses": """
        INSERT INTO annotation_response (prompt_id, key, external_id, text, model, metadata, created_at)
        SELECT DISTINCT ON (p.id, s.key) p.id, s.key, s.external_id, s.text, s.model, s.metadata, now()
        FROM stage_response s JOIN annotation_prompt p ON p.project_id = %(project)s AND p.key = s.prompt_key
        ORDER BY p.id, s.key, s.line
        ON CONFLICT (prompt_id, key) DO NOTHING
    """,
    "items": """
        INSERT INTO annotation_item (project_id, prompt_id, key, response_set, external_id, origin, priority,
                                     shuffle, slots_left, metadata, created_at)
        SELECT DISTINCT ON (s.key) %(project)s, p.id, s.key, s.response_set, s.external_id,
               CASE WHEN s.gold IS NULL THEN 'imported' ELSE 'gold' END, 0, random(),
               CASE WHEN s.gold IS NULL THEN %(overlap)s ELSE %(gold_slots)s END, s.metadata, now()
        FROM stage_item s JOIN annotation_prompt p ON p.project_id = %(project)s AND p.key = s.prompt_key
        ORDER BY s.key, s.line
        ON CONFLICT DO NOTHING
    """,
    "item_responses": """
        WITH place AS MATERIALIZED (
            SELECT s.key AS item_key, k.key AS response_key, k.position - 1 AS position
            FROM (SELECT DISTINCT ON (key) key, response_keys FROM stage_item ORDER BY key, line) s
            CROSS JOIN LATERAL unnest(s.response_keys) WITH ORDINALITY AS k(key, position)
        )
        INSERT INTO annotation_itemresponse (item_id, response_id, position)
        SELECT i.id, r.id, place.position
        FROM place
        JOIN annotation_item i ON i.project_id = %(project)s AND i.key = place.item_key
        JOIN annotation_response r ON r.prompt_id = i.prompt_id AND r.key = place.response_key
        ON CONFLICT (item_id, position) DO NOTHING
    """,
    "gold": """
        WITH fresh AS (
            INSERT INTO annotation_goldanswer (item_id, criterion, choice, ranks, ratings, reason, source,
                                               created_at)
            SELECT DISTINCT ON (i.id, s.criterion) i.id, s.criterion, s.choice, s.ranks, s.ratings, s.reason,
                   'imported', now()
            FROM stage_gold s JOIN annotation_item i ON i.project_id = %(project)s AND i.key = s.item_key
            ORDER BY i.id, s.criterion, s.line
            ON CONFLICT (item_id, criterion) DO NOTHING
            RETURNING item_id
        ) SELECT count(DISTINCT item_id) FROM fresh
    """,
    "annotators": """
        INSERT INTO accounts_user (username, password, display_name, origin, is_active, is_staff,
                                   is_superuser, first_name, last_name, email, date_joined)
        SELECT DISTINCT ON (username) username, '!', display_name, 'imported', false, false, false,
               '', '', '', now()
        FROM stage_judgment ORDER BY username, line
        ON CONFLICT (username) DO NOTHING
    """,
    "judgments": """
        INSERT INTO annotation_judgment (item_id, annotator_id, idempotency_key, body_hash, source, live,
                                         repeat, reasons, spans, comment, seconds, judged_at, created_at)
        SELECT DISTINCT ON (s.idempotency_key) i.id, u.id, s.idempotency_key, s.body_hash, 'imported', true,
               false, '{}', '[]'::jsonb, s.comment, s.seconds, coalesce(s.at, now()), now()
        FROM stage_judgment s
        JOIN annotation_item i ON i.project_id = %(project)s AND i.key = s.item_key
        JOIN accounts_user u ON u.username = s.username
        ORDER BY s.idempotency_key, s.line
        ON CONFLICT (idempotency_key) DO NOTHING
        RETURNING id, idempotency_key, item_id
    """,
}

_REMEMBERED = f"WITH fresh AS ({_MERGE['judgments']}) INSERT INTO merged SELECT * FROM fresh"  # noqa: S608


def lock(cursor: CursorWrapper, project_id: int) -> None:
    """Two imports into one project take turns."""
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"import/{project_id}"])


def create_staging(cursor: CursorWrapper) -> None:
    cursor.execute(_STAGING)


def drop_staging(cursor: CursorWrapper) -> None:
    """Before the transaction's end, so that a second import may follow in the same one."""
    cursor.execute("SET LOCAL enable_nestloop = on")
    cursor.execute(
        "DROP TABLE IF EXISTS stage_line, stage_prompt, stage_response, stage_item, stage_gold, "
        "stage_judgment, stage_answer, stage_bad, stage_used, merged"
    )


def set_conflicts_aside(
    cursor: CursorWrapper, project_id: int, *, most: int
) -> tuple[int, list[tuple[int, str]]]:
    """Take out the lines that contradict the database or an earlier line that was not taken out before.

    How many there were, and (line, message) of the first `most`.
    """
    cursor.execute(
        "ANALYZE stage_prompt, stage_response, stage_item, stage_gold, stage_judgment, stage_answer"
    )
    cursor.execute("SELECT count(*) FROM stage_line")
    if cursor.fetchone()[0] > MANY_ROWS:
        # What this transaction adds is in no statistics yet. Where they say that a table is as good as empty,
        # after an import that failed and was vacuumed away for one, it would be read once for every line.
        cursor.execute("SET LOCAL enable_nestloop = off")
    for query in _CONFLICTS:
        cursor.execute(f"INSERT INTO stage_bad {query}", {"project": project_id})
        if cursor.rowcount:
            _drop_bad_lines(cursor)
    cursor.execute("SELECT count(DISTINCT line) FROM stage_bad")
    (total,) = cursor.fetchone()
    cursor.execute(
        "SELECT DISTINCT ON (line) line, message FROM stage_bad ORDER BY line, message LIMIT %s", [most]
    )
    first = cursor.fetchall()
    if total:
        _drop_unused(cursor)
    return total, first


def _drop_bad_lines(cursor: CursorWrapper) -> None:
    cursor.execute("ANALYZE stage_bad")
    for table in ("stage_line", "stage_item", "stage_gold", "stage_judgment", "stage_answer"):
        cursor.execute(f"DELETE FROM {table} WHERE line IN (SELECT line FROM stage_bad)")  # noqa: S608  our own names


def _drop_unused(cursor: CursorWrapper) -> None:
    """What a bad line brought stays where it was first staged as long as a good line uses it."""
    cursor.execute(
        "CREATE TEMP TABLE stage_used ON COMMIT DROP AS "
        "SELECT DISTINCT unnest(prompt_key || response_keys) AS key FROM stage_line"
    )
    cursor.execute("ANALYZE stage_used")
    for table in ("stage_prompt", "stage_response"):
        cursor.execute(
            f"DELETE FROM {table} s WHERE line IN (SELECT line FROM stage_bad) "  # noqa: S608
            "AND NOT EXISTS (SELECT 1 FROM stage_used u WHERE u.key = s.key)"
        )


def merge(cursor: CursorWrapper, project: Project) -> dict[str, int]:
    """Move staging into the model; what is already there stays as it is. Rows added, by table."""
    values = {
        "project": project.pk,
        "overlap": project.overlap,
        "gold_slots": GOLD_SLOTS,
    }
    added = {}
    cursor.execute(  # in the order in which everybody locks items
        "SELECT 1 FROM annotation_item WHERE project_id = %(project)s "
        "AND key IN (SELECT item_key FROM stage_judgment) ORDER BY id FOR NO KEY UPDATE",
        values,
    )
    for name in ("prompts", "responses", "items", "item_responses", "gold", "annotators"):
        cursor.execute(_MERGE[name], values)
        added[name] = cursor.fetchone()[0] if name == "gold" else cursor.rowcount
    cursor.execute(
        "CREATE TEMP TABLE merged (id bigint, idempotency_key text, item_id bigint) ON COMMIT DROP"
    )
    cursor.execute(_REMEMBERED, values)
    added["votes"] = cursor.rowcount
    cursor.execute("ANALYZE merged")
    cursor.execute(
        """
        INSERT INTO annotation_answer (judgment_id, criterion, choice, strength, ranks, ratings)
        SELECT m.id, a.criterion, a.choice, a.strength, a.ranks, a.ratings
        FROM merged m
        JOIN (SELECT DISTINCT ON (idempotency_key) idempotency_key, ref FROM stage_judgment
              ORDER BY idempotency_key, line) s ON s.idempotency_key = m.idempotency_key
        JOIN stage_answer a ON a.ref = s.ref
        """
    )
    cursor.execute(
        """
        UPDATE annotation_item i SET slots_left = greatest(0, i.slots_left - m.n)
        FROM (SELECT item_id, count(*) AS n FROM merged GROUP BY item_id) m
        WHERE i.id = m.item_id
        """
    )
    del added["item_responses"]
    if sum(added.values()) > MANY_ROWS:
        cursor.execute(_FRESH_STATISTICS)
    return added
