"""Prompts that measure the model and are never trained on; no row is written anew."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("annotation", "0010_item_overlap")]

    operations = [
        migrations.AddField(
            model_name="prompt",
            name="audit",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddIndex(
            model_name="prompt",
            index=models.Index(condition=models.Q(("audit", True)), fields=["project"], name="prompt_audit"),
        ),
    ]
