from django.apps import AppConfig

from figurine import dumps


class DeployConfig(AppConfig):
    name = "deploy"

    def ready(self) -> None:
        # The one place that every process passes: the web, workers, commands.
        dumps.forbid()
        # System checks; and every process that rings a bell must know which broker hears it.
        from deploy import celery, checks  # noqa: F401, PLC0415
