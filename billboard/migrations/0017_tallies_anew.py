from django.db import migrations
from django.db.models import F


def wait_anew(apps, schema_editor):
    """Whoever went up once more has no showings yet. Until now that was told by the clock."""
    tallies = apps.get_model("billboard", "Tally").objects
    over = tallies.filter(last_at__lt=F("submission__state_since_at"), submission__state="approved")
    tallies.filter(pk__in=list(over.values_list("pk", flat=True))).delete()


class Migration(migrations.Migration):

    dependencies = [
        ('billboard', '0016_stints'),
    ]

    operations = [
        migrations.RunPython(wait_anew, migrations.RunPython.noop),
    ]
