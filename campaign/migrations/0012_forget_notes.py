"""Of who is deleted already nothing is kept that the crew wrote of them."""

from django.db import migrations


def forget_notes(apps, schema_editor):
    moves = apps.get_model("campaign", "Transition").objects
    of_nobody = moves.filter(submission__state__in=("expired", "erased"), actor_kind="crew")
    of_nobody.update(note="")


class Migration(migrations.Migration):
    dependencies = [("campaign", "0011_installation")]
    operations = [migrations.RunPython(forget_notes, migrations.RunPython.noop)]
