"""Judgments and answers are append-only, and the database says so.

A judgment may only change from live to not live (an edit or an undo); an answer never changes. Neither is
ever deleted.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION laurel_judgment_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'judgments are never deleted (judgment %)', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.live AND NOT NEW.live THEN
        OLD.live := false;
    END IF;
    IF NEW IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'judgments are append-only: supersede judgment % instead', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER judgment_append_only BEFORE UPDATE OR DELETE ON annotation_judgment
    FOR EACH ROW EXECUTE FUNCTION laurel_judgment_append_only();

CREATE FUNCTION laurel_answer_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'answers are append-only: supersede judgment % instead', OLD.judgment_id
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER answer_append_only BEFORE UPDATE OR DELETE ON annotation_answer
    FOR EACH ROW EXECUTE FUNCTION laurel_answer_append_only();
"""

BACKWARD = """
DROP TRIGGER judgment_append_only ON annotation_judgment;
DROP TRIGGER answer_append_only ON annotation_answer;
DROP FUNCTION laurel_judgment_append_only();
DROP FUNCTION laurel_answer_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("annotation", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
