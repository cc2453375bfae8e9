from django.apps import AppConfig


class CampaignConfig(AppConfig):
    name = "campaign"
    verbose_name = "Campaign"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # They register system checks, and the receiver that rings the broker.
        from campaign import checks, tasks  # noqa: F401, PLC0415
