"""./laurel check_slots PROJECT: recount the one stored counter, `Item.slots_left`."""

from typing import Any

from django.core.management.base import CommandParser
from django.db import connection

from annotation.management.base import LaurelCommand, Refusal, project_named

# A slot is held by an open or done assignment that is not surplus, and by each imported vote.
_WRONG = """
    SELECT i.id, i.slots_left, greatest(0, %(overlap)s - held.n - imported.n) AS expected
    FROM annotation_item i
    CROSS JOIN LATERAL (SELECT count(*) AS n FROM annotation_assignment s
                        WHERE s.item_id = i.id AND s.state IN ('open', 'done') AND NOT s.surplus) held
    CROSS JOIN LATERAL (SELECT count(*) AS n FROM annotation_judgment j
                        WHERE j.item_id = i.id AND j.live AND j.source = 'imported') imported
    WHERE i.project_id = %(project)s AND NOT i.is_gold
      AND i.slots_left <> greatest(0, %(overlap)s - held.n - imported.n)
    ORDER BY i.id
"""


class Command(LaurelCommand):
    help = "Compare every item's free slots with its assignments and imported votes; --fix corrects them."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument("--fix", action="store_true", help="write the recounted numbers")

    def perform(self, *, project: str, fix: bool) -> dict[str, Any]:
        target = project_named(project)
        values = {"project": target.pk, "overlap": target.overlap}
        with connection.cursor() as cursor:
            cursor.execute(_WRONG, values)
            wrong = [{"item": pk, "slots_left": left, "expected": expected} for pk, left, expected in cursor]
            if fix and wrong:
                cursor.execute(
                    f"UPDATE annotation_item SET slots_left = w.expected FROM ({_WRONG}) w "  # noqa: S608
                    "WHERE annotation_item.id = w.id",
                    values,
                )
        if wrong and not fix:
            raise Refusal(f"{len(wrong)} items have a wrong count; run again with --fix.", wrong=wrong)
        self.say(f"{target.slug}: {len(wrong)} counts corrected." if wrong else f"{target.slug}: all right.")
        return {"project": target.slug, "corrected": wrong}
