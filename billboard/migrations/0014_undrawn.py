from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billboard', '0013_one_picture'),
    ]

    operations = [
        migrations.AddField(
            model_name='screen',
            name='undrawn_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
