from datetime import UTC, datetime

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaign", "0012_forget_notes")]
    operations = [
        migrations.AddField(
            model_name="submission",
            name="figurine_purge_at",
            # So late that nobody is deleted between this migration and the next.
            field=models.DateTimeField(default=datetime(9999, 1, 1, tzinfo=UTC)),
            preserve_default=False,
        ),
        migrations.AddIndex(
            model_name="submission",
            index=models.Index(fields=["figurine_purge_at"], name="submission_figurine_purge"),
        ),
    ]
