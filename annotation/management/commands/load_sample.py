"""./laurel load_sample: the sample project, once."""

from typing import Any

from accounts.models import User
from annotation.management.base import LaurelCommand
from annotation.services.sample import load_sample


class Command(LaurelCommand):
    help = "Load the sample project (68 prompts, gold items, guidelines). Does nothing when it is there."

    def perform(self) -> dict[str, Any]:
        manager = User.objects.filter(is_superuser=True).order_by("pk").first()
        project, created = load_sample(manager=manager)
        counts = {"prompts": project.prompts.count(), "items": project.items.count()}
        state = "loaded" if created else "already there"
        self.say(f"{project.slug}: {state}, {counts['prompts']} prompts, {counts['items']} items.")
        return {"project": project.slug, "created": created, **counts}
