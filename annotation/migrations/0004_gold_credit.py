"""What rankings and ratings say, in SQL: the credit of an answer against another, and votes on pairs.

`laurel_credit` equals `annotation.answering.credit.credit`, to the last bit; a test holds the two together.
"""

from django.db import migrations, models

FORWARD = """
CREATE FUNCTION laurel_credit(
    choice text, ranks smallint[], ratings smallint[],
    expert_choice text, expert_ranks smallint[], expert_ratings smallint[]
) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT CASE
    WHEN expert_choice <> '' THEN CASE WHEN choice = expert_choice THEN 1.0::float8 ELSE 0.0::float8 END
    WHEN expert_ranks IS NOT NULL THEN
        CASE WHEN ranks IS NULL OR cardinality(ranks) <> cardinality(expert_ranks) THEN 0.0::float8
        ELSE coalesce((
            SELECT count(*) FILTER (WHERE sign(ranks[i]::int - ranks[j]) = sign(expert_ranks[i]::int - expert_ranks[j]))
                       ::float8 / nullif(count(*), 0)
            FROM generate_series(1, cardinality(ranks)) i, generate_series(i + 1, cardinality(ranks)) j
        ), 1.0::float8) END
    WHEN expert_ratings IS NULL OR ratings IS NULL OR cardinality(ratings) <> cardinality(expert_ratings)
        THEN 0.0::float8
    ELSE (
        SELECT count(*) FILTER (WHERE abs(mine::int - theirs) <= 1)::float8 / nullif(count(*), 0)
        FROM unnest(ratings, expert_ratings) AS both_of(mine, theirs)
    )
END
$$;

-- An answer as votes on the pairs of responses: positions from 0, a_at < b_at; lead 1 for a, 0 tie, -1 for b.
CREATE FUNCTION laurel_pair_votes(choice text, ranks smallint[], ratings smallint[])
RETURNS TABLE (a_at int, b_at int, lead int) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT 0, 1, CASE choice WHEN 'a' THEN 1 WHEN 'b' THEN -1 ELSE 0 END WHERE choice <> ''
UNION ALL
SELECT i - 1, j - 1,
       sign(CASE WHEN ranks IS NULL THEN ratings[i]::int - ratings[j] ELSE ranks[j]::int - ranks[i] END)::int
FROM generate_series(1, cardinality(coalesce(ranks, ratings))) i,
     generate_series(i + 1, cardinality(coalesce(ranks, ratings))) j
WHERE choice = ''
$$;
"""

BACKWARD = """
DROP FUNCTION laurel_pair_votes(text, smallint[], smallint[]);
DROP FUNCTION laurel_credit(text, smallint[], smallint[], text, smallint[], smallint[]);
"""


class Migration(migrations.Migration):
    dependencies = [("annotation", "0003_workbench")]

    operations = [
        migrations.AddField("item", "retired_at", models.DateTimeField(blank=True, null=True)),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
