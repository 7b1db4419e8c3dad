"""The restaurant file: one TOML page that says all the agent may say.

Facts with ids, hours, the ordering link, what messages are taken and what details each
needs, contacts, greeting. A mistake is reported with the file's line and a remedy.
"""

from __future__ import annotations

import re
import tomllib
from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    ValidationError,
    model_validator,
)

from agent.errors import RestaurantError

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _e164(value: str) -> str:
    try:
        number = phonenumbers.parse(value, "US")
    except phonenumbers.NumberParseException as error:
        raise ValueError(f"{value!r} is no phone number; write it as +13165550123") from error
    if not phonenumbers.is_possible_number(number):
        raise ValueError(f"{value!r} is no possible phone number; write it as +13165550123")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _identifier(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", value):
        raise ValueError(f"{value!r} must be lower case letters, digits and _, as in dine_in")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{value!r} is no time zone; write it as America/Chicago") from error
    return value


Phone = Annotated[str, AfterValidator(_e164)]
Identifier = Annotated[str, AfterValidator(_identifier)]
Zone = Annotated[str, AfterValidator(_zone)]


class Part(BaseModel):
    """Base of a part of the file: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Fact(Part):
    """One thing the agent may say when asked, in the owner's own words."""

    id: Identifier
    say: str = Field(min_length=2, description="the answer, as it should be spoken")
    asked: tuple[str, ...] = Field(min_length=1, description="ways in which callers ask for it")


class Hours(Part):
    """Opening times of one weekday; several spans allowed; none means closed."""

    opens: time
    closes: time

    @model_validator(mode="after")
    def _ordered(self) -> Hours:
        if self.opens >= self.closes:
            raise ValueError(f"opens {self.opens} must be before closes {self.closes}")
        return self


class MessageKind(Part):
    """A kind of message the agent takes for the owner, and what it asks for."""

    id: Literal["reservation", "catering", "complaint", "other"]
    ask: str = Field(min_length=2, description="the question that invites the details")


class Contacts(Part):
    """Who gets the messages. Numbers in E.164."""

    owner_sms: Phone
    owner_email: str = ""


class Restaurant(Part):
    """The whole file, checked."""

    name: str = Field(min_length=1)
    spoken_name: str = Field("", description="how to say the name, if not as written")
    public_number: Phone
    time_zone: Zone = "America/Chicago"
    greeting: str = Field(min_length=2)
    ordering_link: HttpUrl | None = None
    contacts: Contacts
    hours: dict[str, tuple[Hours, ...]] = Field(default_factory=dict)
    closed_on: tuple[date, ...] = Field((), description="holidays, as 2026-12-25")
    facts: tuple[Fact, ...] = ()
    messages: tuple[MessageKind, ...] = ()
    pronounce: dict[str, str] = Field(default_factory=dict)
    hear: dict[str, str] = Field(
        default_factory=dict,
        description="words callers say that are not on this page, respelled; empty: as written",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Restaurant:
        ids = [fact.id for fact in self.facts]
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            raise ValueError(f"fact id {twice[0]!r} is used twice; every id must be its own")
        for day in self.hours:
            if day not in DAYS:
                raise ValueError(f"hours: {day!r} is no weekday; use monday … sunday")
        return self

    @property
    def say_name(self) -> str:
        """The name as it is spoken."""
        return self.spoken_name or self.name

    def open_at(self, now: datetime) -> bool | None:
        """Whether the restaurant is open at ``now`` (local); None if the file has no hours."""
        if not self.hours:
            return None
        if now.date() in self.closed_on:
            return False
        spans = self.hours.get(DAYS[now.weekday()], ())
        return any(span.opens <= now.time() < span.closes for span in spans)

    def fact(self, fact_id: str) -> Fact | None:
        """Return the fact with this id, or None."""
        return next((fact for fact in self.facts if fact.id == fact_id), None)

    def message_kind(self, kind: str) -> MessageKind | None:
        """Return the message kind with this id, or None if it is not taken here."""
        return next((message for message in self.messages if message.id == kind), None)


def load_restaurant(path: Path) -> Restaurant:
    """Read and check a restaurant file.

    Raises:
        RestaurantError: it can't be read, is no TOML, or a value is wrong; the message
            names file, line and remedy.
    """
    try:
        source = path.read_text(encoding="utf-8")
    except OSError as error:
        raise RestaurantError(
            f"{path}: can't be read ({error.strerror}).",
            remedy="Set PICKUP_RESTAURANT to your restaurant file.",
        ) from error
    except UnicodeDecodeError as error:
        raise RestaurantError(f"{path}: is not UTF-8.", remedy="Save it as UTF-8.") from error
    try:
        data = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise RestaurantError(
            f"{path}: {error}.", remedy="See docs/restaurant-file.md for a correct one."
        ) from error
    try:
        return Restaurant.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        location = tuple(first["loc"])
        where = ".".join(str(part) for part in location) or "file"
        message = first["msg"].removeprefix("Value error, ")
        line = _line_of(source, location)
        raise RestaurantError(
            f"{path}:{line}: {where}: {message}.",
            remedy="See docs/restaurant-file.md.",
        ) from error


def _line_of(source: str, location: tuple[int | str, ...]) -> int:
    """Return the 1-based line that ``location`` (a pydantic error path) points to.

    tomllib keeps no positions, so the path is followed by its own headers: the n-th
    ``[[name]]``, ``[name]``, then ``key =``. The nearest line found is good enough.
    """
    lines = source.splitlines()
    at = 0
    for part in location:
        if isinstance(part, int):
            header = lines[at].strip() if at < len(lines) else ""
            if header.startswith("[["):
                same = [i for i, text in enumerate(lines) if text.strip() == header]
                at = same[part] if part < len(same) else at
            continue
        pattern = re.compile(
            rf"\s*(\[\[?{re.escape(part)}[\].]|\[[\w.]+\.{re.escape(part)}\]|{re.escape(part)}\s*=)"
        )
        at = next((i for i in range(at, len(lines)) if pattern.match(lines[i])), at)
    return at + 1
