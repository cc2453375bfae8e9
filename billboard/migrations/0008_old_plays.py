"""Every hour that has a play is counted when the product tidies up next."""

from datetime import UTC, timedelta

from django.db import migrations
from django.db.models.functions import TruncHour
from django.utils import timezone


def mark(apps, schema_editor):
    play, stale = apps.get_model("billboard", "Play"), apps.get_model("billboard", "StaleHour")
    hours = play.objects.annotate(hour=TruncHour("started_at", tzinfo=UTC)).order_by()
    marks = set()
    for screen, hour in hours.values_list("screen_id", "hour").distinct():
        # An hour of the local clock may begin within one of UTC's.
        for moment in (hour, hour + timedelta(minutes=59)):
            past = timedelta(minutes=timezone.localtime(moment).minute)
            marks.add((screen, moment - past))
    rows = [stale(screen_id=screen, hour_at=hour) for screen, hour in sorted(marks)]
    stale.objects.bulk_create(rows, batch_size=1000, ignore_conflicts=True)


class Migration(migrations.Migration):
    dependencies = [("billboard", "0007_proof")]
    operations = [migrations.RunPython(mark, migrations.RunPython.noop)]
