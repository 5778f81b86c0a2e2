"""Standing, reviews, reports and alerts; and the database notes which items have changed.

`ChangedItem` is written by triggers, once a statement, whoever writes judgments: a browser, an import, a
simulation. It is what makes labels incremental without anything to forget.
"""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

FORWARD = """
CREATE FUNCTION laurel_items_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO annotation_changeditem (project_id, item_id)
    SELECT DISTINCT i.project_id, i.id FROM changed c JOIN annotation_item i ON i.id = c.item_id;
    RETURN NULL;
END $$;
CREATE TRIGGER judgment_changes_item AFTER INSERT ON annotation_judgment
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION laurel_items_changed();
CREATE TRIGGER judgment_ends_on_item AFTER UPDATE ON annotation_judgment
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION laurel_items_changed();
INSERT INTO annotation_changeditem (project_id, item_id)
SELECT DISTINCT i.project_id, i.id FROM annotation_judgment j JOIN annotation_item i ON i.id = j.item_id;
"""

BACKWARD = """
DROP TRIGGER judgment_changes_item ON annotation_judgment;
DROP TRIGGER judgment_ends_on_item ON annotation_judgment;
DROP FUNCTION laurel_items_changed();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0006_fewer_indexes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AggregationFit",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("criterion", models.CharField(max_length=60)),
                ("method", models.CharField(max_length=30)),
                ("parameters", models.JSONField()),
                ("votes", models.PositiveIntegerField()),
                ("fitted_at", models.DateTimeField(auto_now=True)),
            ],
        ),
        migrations.CreateModel(
            name="Alert",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("agreement", "Agreement falls"),
                            ("gold", "An annotator fails gold"),
                            ("paused", "An annotator was paused"),
                            ("appeal", "An annotator appeals"),
                            ("queue", "The queue runs dry"),
                            ("worker", "A worker is missing"),
                        ],
                        max_length=12,
                    ),
                ),
                ("figures", models.JSONField(default=dict)),
                ("raised_at", models.DateTimeField(auto_now_add=True)),
                ("ended_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="AlertDelivery",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "Waiting"), ("sent", "Sent"), ("failed", "Failed")],
                        default="waiting",
                        max_length=8,
                    ),
                ),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("problem", models.TextField(blank=True)),
                ("next_try_at", models.DateTimeField()),
                ("sent_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="AlertTarget",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "channel",
                    models.CharField(choices=[("email", "E-mail"), ("webhook", "Webhook")], max_length=8),
                ),
                ("address", models.CharField(max_length=1000)),
                (
                    "kinds",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=12), size=None
                    ),
                ),
                ("secret", models.CharField(blank=True, max_length=64)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="ChangedItem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Comment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("text", models.TextField()),
                ("gap", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="Message",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("note", "Message"),
                            ("paused", "Paused"),
                            ("excluded", "Excluded"),
                            ("appeal", "Appeal"),
                            ("restored", "Restored"),
                        ],
                        default="note",
                        max_length=10,
                    ),
                ),
                ("text", models.TextField(blank=True)),
                ("evidence", models.JSONField(default=list)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("read_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="QualityReport",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("body", models.JSONField()),
                ("stale", models.BooleanField(default=False)),
                ("version", models.PositiveIntegerField(default=1)),
                ("seconds", models.FloatField()),
                ("computed_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Review",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("adjudication", "Adjudication"), ("spot_check", "Spot check")],
                        max_length=12,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "Open"), ("done", "Done"), ("dismissed", "Dismissed")],
                        default="open",
                        max_length=10,
                    ),
                ),
                ("label", models.JSONField(default=list)),
                ("blind", models.JSONField(default=list)),
                ("blind_at", models.DateTimeField(null=True)),
                ("decision", models.JSONField(default=list)),
                ("reason", models.TextField(blank=True)),
                ("right", models.BooleanField(null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("decided_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Standing",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("active", "Active"), ("paused", "Paused"), ("excluded", "Excluded")],
                        default="active",
                        max_length=10,
                    ),
                ),
                ("reason", models.TextField(blank=True)),
                ("evidence", models.JSONField(default=list)),
                ("automatic", models.BooleanField(default=False)),
                ("gold_rate", models.FloatField(blank=True, null=True)),
                ("changed_at", models.DateTimeField()),
                ("restored_at", models.DateTimeField(null=True)),
                ("appealed_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddField(
            model_name="project",
            name="aggregation",
            field=models.CharField(
                choices=[
                    ("vote-shares", "Vote shares"),
                    ("competence", "Competence"),
                    ("dawid-skene", "Dawid-Skene"),
                ],
                db_default="vote-shares",
                default="vote-shares",
                max_length=12,
            ),
        ),
        migrations.AddField(
            model_name="project",
            name="auto_pause",
            field=models.BooleanField(db_default=True, default=True),
        ),
        migrations.AddField(
            model_name="project",
            name="expert_weight",
            field=models.PositiveSmallIntegerField(db_default=3, default=3),
        ),
        migrations.AddField(
            model_name="project",
            name="spot_check_rate",
            field=models.FloatField(db_default=0.02, default=0.02),
        ),
        migrations.AlterField(
            model_name="judgment",
            name="source",
            field=models.CharField(
                choices=[
                    ("browser", "Browser"),
                    ("imported", "Imported"),
                    ("simulated", "Simulated"),
                    ("expert", "Expert"),
                ],
                max_length=10,
            ),
        ),
        migrations.AddConstraint(
            model_name="project",
            constraint=models.CheckConstraint(
                condition=models.Q(("aggregation__in", ["vote-shares", "competence", "dawid-skene"])),
                name="project_aggregation_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="project",
            constraint=models.CheckConstraint(
                condition=models.Q(("expert_weight__range", (1, 100))), name="project_expert_weight_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="project",
            constraint=models.CheckConstraint(
                condition=models.Q(("spot_check_rate__range", (0, 1))),
                name="project_spot_check_rate_is_a_share",
            ),
        ),
        migrations.AddField(
            model_name="aggregationfit",
            name="project",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="fits", to="annotation.project"
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="annotator",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="project",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="alerts", to="annotation.project"
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="seen_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="alertdelivery",
            name="alert",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="deliveries", to="annotation.alert"
            ),
        ),
        migrations.AddField(
            model_name="alerttarget",
            name="created_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="alerttarget",
            name="project",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="alert_targets",
                to="annotation.project",
            ),
        ),
        migrations.AddField(
            model_name="alertdelivery",
            name="target",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="deliveries",
                to="annotation.alerttarget",
            ),
        ),
        migrations.AddField(
            model_name="changeditem",
            name="item",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="annotation.item",
            ),
        ),
        migrations.AddField(
            model_name="changeditem",
            name="project",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="annotation.project",
            ),
        ),
        migrations.AddField(
            model_name="comment",
            name="author",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="comment",
            name="closed_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="closes",
                to="annotation.guideline",
            ),
        ),
        migrations.AddField(
            model_name="comment",
            name="guideline",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="annotation.guideline",
            ),
        ),
        migrations.AddField(
            model_name="comment",
            name="item",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="comments", to="annotation.item"
            ),
        ),
        migrations.AddField(
            model_name="comment",
            name="project",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="comments", to="annotation.project"
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="annotator",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="messages",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="author",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="project",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="messages", to="annotation.project"
            ),
        ),
        migrations.AddField(
            model_name="qualityreport",
            name="project",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE, related_name="report", to="annotation.project"
            ),
        ),
        migrations.AddField(
            model_name="review",
            name="item",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="reviews", to="annotation.item"
            ),
        ),
        migrations.AddField(
            model_name="review",
            name="judgment",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="review",
                to="annotation.judgment",
            ),
        ),
        migrations.AddField(
            model_name="review",
            name="project",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="reviews", to="annotation.project"
            ),
        ),
        migrations.AddField(
            model_name="review",
            name="reviewer",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="reviews",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="standing",
            name="annotator",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="standings",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="standing",
            name="changed_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="standing",
            name="project",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="standings", to="annotation.project"
            ),
        ),
        migrations.AddConstraint(
            model_name="aggregationfit",
            constraint=models.UniqueConstraint(
                fields=("project", "criterion"), name="fit_once_per_criterion"
            ),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(
                models.F("project"),
                models.OrderBy(models.F("raised_at"), descending=True),
                name="alert_latest",
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at", None)),
                fields=("project", "kind", "annotator"),
                name="alert_open_once",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="alerttarget",
            constraint=models.UniqueConstraint(
                fields=("project", "channel", "address"), name="alert_target_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="alerttarget",
            constraint=models.CheckConstraint(
                condition=models.Q(("channel__in", ["email", "webhook"])), name="alert_target_channel_known"
            ),
        ),
        migrations.AddIndex(
            model_name="alertdelivery",
            index=models.Index(
                condition=models.Q(("state", "waiting")), fields=["next_try_at"], name="alert_delivery_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="alertdelivery",
            constraint=models.UniqueConstraint(fields=("alert", "target"), name="alert_delivery_once"),
        ),
        migrations.AddIndex(
            model_name="comment",
            index=models.Index(
                condition=models.Q(("closed_by__isnull", True), ("gap", True)),
                fields=["project"],
                name="comment_open_gap",
            ),
        ),
        migrations.AddConstraint(
            model_name="comment",
            constraint=models.CheckConstraint(
                condition=models.Q(("gap", True), ("closed_by__isnull", True), _connector="OR"),
                name="comment_only_gaps_are_closed",
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(fields=["project", "annotator", "id"], name="message_thread"),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(fields=["project", "kind", "state"], name="review_queue"),
        ),
        migrations.AddConstraint(
            model_name="review",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "open")),
                fields=("item", "kind"),
                name="review_one_open_per_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="review",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "done"), _negated=True),
                    models.Q(("decided_at__isnull", False), ("reviewer__isnull", False)),
                    _connector="OR",
                ),
                name="review_done_by_somebody",
            ),
        ),
        migrations.AddConstraint(
            model_name="standing",
            constraint=models.UniqueConstraint(fields=("project", "annotator"), name="standing_once"),
        ),
        migrations.AddConstraint(
            model_name="standing",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["active", "paused", "excluded"])),
                name="standing_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="standing",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("gold_rate__isnull", True), ("gold_rate__range", (0, 1)), _connector="OR"
                ),
                name="standing_gold_rate_is_a_share",
            ),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
