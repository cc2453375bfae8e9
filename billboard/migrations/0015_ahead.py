from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billboard', '0014_undrawn'),
    ]

    operations = [
        migrations.AddField(
            model_name='screen',
            name='ahead_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
