"""Log lines: a static sentence plus fields, as JSON for machines or coloured for a person."""

from __future__ import annotations

import logging
import sys

import structlog


def configure_logs(*, person: bool, level: int = logging.INFO) -> None:
    """Send log lines from ``level`` on to standard error.

    Coloured for a ``person``, else one JSON object a line.
    """
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer() if person else structlog.processors.JSONRenderer()
    )
    processors: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if not person:
        processors.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
