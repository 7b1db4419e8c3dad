"""What holds for every test."""

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """A command that was run in a test leaves no log writing to that test's closed output."""
    yield
    structlog.reset_defaults()
