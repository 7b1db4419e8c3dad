"""What holds for every test."""

import sys
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """A command that was run in a test leaves no log writing to that test's closed output."""
    yield
    structlog.reset_defaults()


def pytest_unconfigure() -> None:
    """Close what llama.cpp's package opens when it is imported and leaves open: /dev/null, twice.

    The interpreter may destroy them while our filter still holds, by which warnings are errors.
    """
    if opened := sys.modules.get("llama_cpp._utils"):
        opened.outnull_file.close()
        opened.errnull_file.close()
