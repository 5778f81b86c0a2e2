"""How many votes an item wants, where that is not its project's overlap; no row is written anew."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("annotation", "0009_odds_source")]

    operations = [
        migrations.AddField(
            model_name="item",
            name="overlap",
            field=models.PositiveSmallIntegerField(blank=True, null=True),
        ),
        migrations.AddConstraint(
            model_name="item",
            constraint=models.CheckConstraint(
                condition=models.Q(overlap__isnull=True) | models.Q(overlap__range=(1, 100)),
                name="item_overlap_positive",
            ),
        ),
        migrations.AddIndex(
            model_name="item",
            index=models.Index(
                fields=["project"],
                name="item_own_overlap",
                condition=models.Q(overlap__isnull=False),
            ),
        ),
    ]
