"""What the mind can have done: the tools, and what a deployment can do at all.

A tool is only named here; promises carry it out. ``PromiseKind`` doubles as the name of
the capability that a tool needs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from agent.events import PromiseKind
from agent.restaurant import Restaurant

Capabilities = frozenset[str]
"""`PromiseKind` values this deployment can keep; what is not in it is never offered."""


@dataclass(frozen=True, slots=True)
class SendLink:
    """Text the ordering link to ``to`` (E.164)."""

    promise_kind: ClassVar[PromiseKind] = PromiseKind.ORDER_LINK
    to: str = field(metadata={"personal": True})


@dataclass(frozen=True, slots=True)
class PassMessage:
    """Pass a caller's message to the owner.

    Attributes:
        kind: Message kind from the restaurant file: ``reservation``, ``catering``,
            ``complaint`` or ``other``.
        details: What was read from the caller's words, then the words themselves.
        name: The caller's name; empty if not given.
        number: Callback number in E.164; empty if not given.
    """

    promise_kind: ClassVar[PromiseKind] = PromiseKind.OWNER_MESSAGE
    kind: str
    details: str = field(metadata={"personal": True})
    name: str = field(default="", metadata={"personal": True})
    number: str = field(default="", metadata={"personal": True})


Tool = SendLink | PassMessage


def capabilities_of(restaurant: Restaurant, enabled: Capabilities) -> Capabilities:
    """Return what of ``enabled`` this restaurant's file allows.

    No ordering link in the file: none can be sent. No message kinds: no messages are taken.
    """
    lacking: set[str] = set()
    if restaurant.ordering_link is None:
        lacking.add(PromiseKind.ORDER_LINK)
    if not restaurant.messages:
        lacking.add(PromiseKind.OWNER_MESSAGE)
    return frozenset(enabled - lacking)
