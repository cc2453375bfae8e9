"""Structured logs: one event a line, the submission's id in every line that is about one.

An address that is a key never gets into them, whoever logs it: see `blank_keys`.
"""

from __future__ import annotations

import logging.config
import re
from typing import Any, Final

import structlog

KEY: Final = re.compile(
    r"""(/(?:s|webhooks/fal)/)[^\s/?"'<>\\]+"""
    r"""|(/media/)(?:[^\s"'<>\\]|\\+[xu][0-9a-f]{2})+"""
)
"""What opens a participant's page or socket (/s/…, /ws/s/…), a provider's ticket, or a picture: its
key and all that follows, for the file has the person's name. Django writes its letters as \\xfc."""


def blank_keys(logger: Any, method: str, line: Any) -> str:
    """Blank the keys in a rendered line, so in its event, its values and its traceback alike."""
    return KEY.sub(r"\1\2...", str(line))


def configure(*, json: bool, level: str) -> None:
    """Set up structlog and the standard library's logging to speak with one voice."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if json
        else [
            structlog.dev.ConsoleRenderer(
                colors=False,
                pad_event_to=0,
                # Where rich is installed, as beside torch, its own would print local variables too.
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "diorama": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": shared,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        *render,
                        blank_keys,
                    ],
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "diorama"}},
            "root": {"handlers": ["stderr"], "level": level},
            "loggers": {
                # An access log would write down capability addresses.
                "daphne.http_protocol": {"level": "WARNING"},
                "django.channels.server": {"level": "WARNING"},
                "celery.app.trace": {"level": "WARNING"},
                # Every sweep, sent and received, every five seconds.
                "celery.beat": {"level": "WARNING"},
                "celery.worker.strategy": {"level": "WARNING"},
            },
        }
    )
