"""An index of gold alone: few items among very many, which a claim of gold would otherwise search through."""

from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    dependencies = [("annotation", "0004_gold_credit")]

    operations = [
        migrations.AddIndex(
            "item",
            models.Index(
                "project",
                F("priority").desc(),
                "shuffle",
                name="item_open_gold",
                condition=Q(slots_left__gt=0, is_gold=True),
            ),
        ),
    ]
