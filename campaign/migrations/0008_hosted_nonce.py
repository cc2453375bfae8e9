from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('campaign', '0007_workers'),
    ]

    operations = [
        migrations.AddField(
            model_name='hostedrequest',
            name='openings',
            field=models.PositiveSmallIntegerField(default=1),
        ),
    ]
