"""Sentences of a selection as texts with values, so that they can be shown in every language."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("activelearning", "0002_recipes_and_audit")]

    operations: ClassVar = [
        migrations.AddField(
            model_name="selectionbatch",
            name="said",
            field=models.JSONField(db_default=[], default=list),
        ),
        migrations.AddField(
            model_name="selectedpair",
            name="said",
            field=models.JSONField(db_default=[], default=list),
        ),
    ]
