"""What the text messages say. Each carries its promise's id, so that it can be recognised."""

from __future__ import annotations

import re
from typing import Final

import phonenumbers

TOKEN: Final = "{token}"  # noqa: S105 - a placeholder, no secret
"""Where the promise's id goes; in a link it is the value of ``?t=``."""

LONGEST: Final = 1600
"""Characters Twilio takes in one message (docs, error 21617)."""


def with_token(body: str, promise_id: str) -> str:
    """Return ``body`` with the id in place of ``TOKEN``, or at the end, cut to ``LONGEST``."""
    text = body if TOKEN in body else f"{body} #{TOKEN}"
    over = len(text) - len(TOKEN) + len(promise_id) - LONGEST
    if over > 0:
        front, _, back = text.partition(TOKEN)
        cut = over + 2
        front = front[:-cut] + "… " if len(front) > cut else front
        text = front + TOKEN + back[: LONGEST - len(front) - len(promise_id)]
    return text.replace(TOKEN, promise_id, 1)


def carries(body: str, promise_id: str) -> bool:
    """Tell whether ``body`` is the message of the promise with this id."""
    return re.search(rf"(?<![0-9a-z]){re.escape(promise_id)}(?![0-9a-z])", body) is not None


def order_link(restaurant: str, link: str) -> str:
    """Return the text with the ordering link, to be made into a promise."""
    address, hash_, fragment = link.partition("#")
    separator = "&" if "?" in address else "?"
    return f"{restaurant}: order here {address}{separator}t={TOKEN}{hash_}{fragment}"


def owner_message(kind: str, details: str, name: str, number: str) -> str:
    """Return the text with a caller's message for the owner; empty parts are left out.

    The caller's words may hold anything, the placeholder too: it is taken out of them.
    """
    who = " ".join(part for part in (name, spoken_number(number)) if part)
    words = details.strip().rstrip(".")
    text = f"{kind.replace('_', ' ').capitalize()}: {words}. From {who or 'an unknown number'}."
    return f"{text.replace(TOKEN, '')} #{TOKEN}"


def spoken_number(number: str) -> str:
    """Return an E.164 number as people write it here: (316) 555-0142."""
    try:
        parsed = phonenumbers.parse(number, "US")
    except phonenumbers.NumberParseException:
        return number
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL))
