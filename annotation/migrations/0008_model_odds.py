"""What the queue of reviews is found by: the bits that a label leaves open, in order, and the model's odds.

`laurel_label_bits` is the entropy, in bits, of the posterior mean of (a, tie, b) under half a vote each.
"""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F, Func, Q

FORWARD = """
CREATE FUNCTION laurel_label_bits(
    p_a double precision, p_tie double precision, p_b double precision, n double precision
) RETURNS double precision LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    a double precision := (n * p_a + 0.5) / (n + 1.5);
    tie double precision := (n * p_tie + 0.5) / (n + 1.5);
    b double precision := (n * p_b + 0.5) / (n + 1.5);
BEGIN
    RETURN -(a * ln(a) + tie * ln(tie) + b * ln(b)) / ln(2::double precision);
END $$;
"""
BACKWARD = """
DROP FUNCTION laurel_label_bits(double precision, double precision, double precision, double precision);
"""


def to(model: str, **options: object) -> models.ForeignKey:
    return models.ForeignKey(
        to=model, on_delete=django.db.models.deletion.CASCADE, related_name="+", **options
    )


class Migration(migrations.Migration):
    dependencies = [("annotation", "0007_trust")]

    operations = [
        migrations.RunSQL(FORWARD, BACKWARD),
        migrations.AddIndex(
            model_name="softlabel",
            index=models.Index(
                F("project"),
                F("criterion"),
                Func("p_a", "p_tie", "p_b", "effective_votes", function="laurel_label_bits").desc(),
                name="soft_label_open_most",
            ),
        ),
        migrations.AddIndex(
            model_name="assignment",
            index=models.Index(fields=["project"], name="assignment_flagged", condition=Q(state="flagged")),
        ),
        migrations.CreateModel(
            name="ModelOdds",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("p_a", models.FloatField()),
                ("p_tie", models.FloatField()),
                ("p_b", models.FloatField()),
                ("odds", models.FloatField(default=0)),
                ("weighed_at", models.DateTimeField(auto_now_add=True)),
                ("project", to("annotation.project")),
                (
                    "item",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="odds",
                        to="annotation.item",
                    ),
                ),
                ("response_a", to("annotation.response", db_index=False)),
                ("response_b", to("annotation.response", db_index=False)),
            ],
            options={
                "indexes": [
                    models.Index(F("project"), F("odds").desc(), name="odds_first", condition=Q(odds__gt=0))
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=["item", "response_a", "response_b"], name="odds_once_per_pair"
                    )
                ],
            },
        ),
    ]
