"""./laurel check_slots PROJECT: recount the one stored counter, `Item.slots_left`."""

from typing import Any

from django.core.management.base import CommandParser

from annotation.management.base import LaurelCommand, Refusal, project_named
from annotation.services import slots


class Command(LaurelCommand):
    help = "Compare every item's free slots with its assignments and imported votes; --fix corrects them."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument("--fix", action="store_true", help="write the recounted numbers")

    def perform(self, *, project: str, fix: bool) -> dict[str, Any]:
        target = project_named(project)
        wrong = [
            {"item": pk, "slots_left": stored, "expected": recounted}
            for pk, stored, recounted in slots.wrong_slots(target)
        ]
        if wrong and not fix:
            raise Refusal(f"{len(wrong)} items have a wrong count; run again with --fix.", wrong=wrong)
        slots.recount_slots([row["item"] for row in wrong])
        self.say(f"{target.slug}: {len(wrong)} counts corrected." if wrong else f"{target.slug}: all right.")
        return {"project": target.slug, "corrected": wrong}
