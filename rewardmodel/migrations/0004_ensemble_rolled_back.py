from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("rewardmodel", "0003_handover"),
    ]

    operations = [
        migrations.AddField(
            model_name="ensemble",
            name="rolled_back",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
