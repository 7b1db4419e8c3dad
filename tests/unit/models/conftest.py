"""A shop that models are fetched from."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.unit.models.shop import BODY, Shop


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as shop:
        thread = threading.Thread(target=shop.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        shop.files["model.gguf"] = BODY
        yield shop
        shop.shutdown()
        thread.join()
