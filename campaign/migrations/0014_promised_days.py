"""Whoever is there keeps the days that their campaign promises now."""

from datetime import timedelta

from django.db import migrations
from django.db.models import F


def promise(apps, schema_editor):
    submissions = apps.get_model("campaign", "Submission").objects
    for campaign in apps.get_model("campaign", "Campaign").objects.all():
        kept_for = timedelta(days=campaign.figurine_retention_days)
        submissions.filter(campaign=campaign).update(figurine_purge_at=F("created_at") + kept_for)


class Migration(migrations.Migration):
    dependencies = [("campaign", "0013_figurine_purge_at")]
    operations = [migrations.RunPython(promise, migrations.RunPython.noop)]
