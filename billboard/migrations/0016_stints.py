import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billboard', '0015_ahead'),
        ('campaign', '0010_note_without_move'),
    ]

    operations = [
        migrations.CreateModel(
            name='Stint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('until_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('campaign', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='campaign.campaign')),
                ('screen', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='stints', to='billboard.screen')),
            ],
        ),
    ]
