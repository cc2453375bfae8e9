from django.apps import AppConfig


class DeployConfig(AppConfig):
    name = "deploy"

    def ready(self) -> None:
        # System checks; and every process that rings a bell must know which broker hears it.
        from deploy import celery, checks  # noqa: F401, PLC0415
