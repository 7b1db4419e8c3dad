"""What the owner may text to the restaurant's number: switch the agent off and on.

``off``, ``off 2h``, ``on``, ``status``; ``pause`` and ``resume`` mean the same. (``stop`` and
``start`` never reach us: Twilio takes them itself, for opting out.) Only the owner's own number
counts. A text's sender can be forged, but not past Twilio into a signed request from a number
that answers: the answer goes to the owner, who would see it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from agent.errors import SettingsError
from agent.pause import Pause, PauseStore, read_duration
from agent.restaurant import Restaurant

HELP = 'Text "off", "off 2h", "on" or "status".'


class OwnersSwitch:
    """Reads the owner's texts."""

    def __init__(
        self, restaurant: Restaurant, store: PauseStore, clock: Callable[[], float]
    ) -> None:
        """Obey the restaurant's ``contacts.owner_sms``. ``clock`` gives Unix time."""
        self._owner = restaurant.contacts.owner_sms
        self._zone = ZoneInfo(restaurant.time_zone)
        self._store = store
        self._clock = clock

    def obey(self, sender: str, text: str) -> str:
        """Do what the text says and return the answer to be texted; empty: none. Blocking."""
        if sender != self._owner:
            return ""
        now = self._clock()
        found = re.fullmatch(
            r"\s*(?:pickup\s+)?(off|pause|on|resume|status)\b(.*)", text.strip().lower(), re.DOTALL
        )
        if found is None:
            return HELP
        word, rest = found[1], found[2].strip(" .!")
        try:
            if word in ("off", "pause"):
                rest = rest.removeprefix("for").strip()
                until = now + read_duration(rest) if rest else None
                self._store.write(Pause(since=now, until=until, by="owner"))
            elif word in ("on", "resume"):
                self._store.write(Pause(since=now, until=now, by="owner"))
        except SettingsError as error:
            return f"{error} {HELP}"
        return self._sentence(self._store.on_disk(), now)

    def _sentence(self, state: Pause, now: float) -> str:
        if not state.holds(now):
            return "Pickup takes calls."
        if state.until is None:
            return 'Pickup takes no calls until you text "on". Callers reach the mailbox.'
        until = datetime.fromtimestamp(state.until, self._zone)
        return f"Pickup takes no calls until {until:%A %H:%M}. Callers reach the mailbox."
