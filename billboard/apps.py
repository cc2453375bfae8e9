from django.apps import AppConfig


class BillboardConfig(AppConfig):
    name = "billboard"
    verbose_name = "Billboard"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from billboard import (  # noqa: PLC0415
            dark,
            planning,
            plays,
            receivers,  # noqa: F401 - they connect themselves
            upcoming,
        )
        from campaign import showings  # noqa: PLC0415

        showings.register(plays.showings)
        showings.register_dark(dark.remaining)
        showings.register_plan(upcoming.of, planning.outlooks)
