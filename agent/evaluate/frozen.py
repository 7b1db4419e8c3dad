"""Promises whose outcome is known beforehand: nothing is sent, queued or kept anywhere.

Replayed and evaluated calls make their promises here. There is no carrier, no Redis and no
worker behind it, so a replay can't text anybody, whatever the machine's settings say;
`import-linter` holds this side of the house apart from the code that can.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from agent.events import Outcome, PromiseKind
from agent.promises.ledger import PromiseNews
from agent.promises.state import Promise

ACCEPTED: Final = (str(Outcome.ACCEPTED),)

Tools = Mapping[PromiseKind, tuple[str, ...]]
"""What becomes of each use of a tool, in turn: ``accepted``, ``pending`` or ``refused 21610``.
The last goes for all that follow; a tool that is not named is accepted."""


class FrozenLedger:
    """One call's promises, in place of `agent.promises.ledger.Ledger`."""

    def __init__(self, tools: Tools) -> None:
        """Answer as ``tools`` say."""
        self._tools = tools
        self.made: list[Promise] = []
        """What was promised, oldest first."""

    def make(
        self, kind: PromiseKind, to: str, body: str, bundle: Path, *, about: str = ""
    ) -> Promise:
        """Note a promise; it goes nowhere."""
        promise = Promise(f"p{len(self.made) + 1}", kind, to, body, bundle, about=about)
        self.made.append(promise)
        return promise

    async def keep(self, promise: Promise) -> None:
        """Do nothing: nobody keeps it."""

    async def outcome(self, promise_id: str, within: float) -> PromiseNews:
        """Return what the tools say became of it, at once."""
        place = next(i for i, one in enumerate(self.made) if one.id == promise_id)
        kind = self.made[place].kind
        use = sum(one.kind is kind for one in self.made[:place])
        news = self._tools.get(kind, ACCEPTED)
        outcome, _, code = news[min(use, len(news) - 1)].partition(" ")
        return PromiseNews(Outcome(outcome), f"frozen-{promise_id}", code)
