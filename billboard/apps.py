from django.apps import AppConfig


class BillboardConfig(AppConfig):
    name = "billboard"
    verbose_name = "Billboard"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from billboard import planning, plays, receivers  # noqa: F401, PLC0415 - receivers connect themselves
        from campaign import showings  # noqa: PLC0415

        showings.register(plays.showings)
        showings.register_plan(planning.upcoming, planning.outlooks)
