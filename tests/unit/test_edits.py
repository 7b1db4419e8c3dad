"""An edited restaurant file is taken up; a broken one is not."""

from pathlib import Path

import pytest

from agent.restaurant import Restaurant
from agent.service.edits import Edits
from agent.settings import CHECKOUT

HIKARI = (CHECKOUT / "evals" / "worlds" / "hikari.toml").read_text("utf-8")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "restaurant.toml"
    path.write_text(HIKARI, "utf-8")
    return path


def edit(file: Path, text: str) -> None:
    file.write_text(text, "utf-8")


async def test_an_edit_is_taken_up_once(file: Path) -> None:
    taken: list[Restaurant] = []

    async def take_up(restaurant: Restaurant) -> None:
        taken.append(restaurant)

    edits = Edits(file, take_up)
    assert not await edits.look()
    edit(file, HIKARI.replace("free parking behind", "no parking near"))
    assert await edits.look()
    assert not await edits.look()
    assert [one.fact("parking").say for one in taken if one.fact("parking")] == [  # type: ignore[union-attr]
        "There's no parking near the building."
    ]


@pytest.mark.parametrize("text", ["name = ", "", "name = 'x'\n"])
async def test_a_broken_edit_changes_nothing(file: Path, text: str) -> None:
    async def take_up(restaurant: Restaurant) -> None:
        raise AssertionError(restaurant)

    edits = Edits(file, take_up)
    edit(file, text)
    assert not await edits.look()
    edit(file, HIKARI)
    with pytest.raises(AssertionError):
        await edits.look()
