"""How runs went as one HTML page to look at: what failed first, each with its conversation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Final

from agent.evaluate.gate import Decision
from agent.evaluate.results import WORST, Played, Spoke, Status, tally

STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff; }
h1 { font-size: 1.4rem; } summary { cursor: pointer; padding: .25rem 0; }
.passed > summary::before { content: "✓ "; color: #2b8a3e; }
.failed > summary::before { content: "✗ "; color: #c92a2a; }
.errored > summary::before { content: "! "; color: #c92a2a; }
.pending > summary::before, .not_run > summary::before { content: "○ "; color: #868e96; }
.fault { color: #c92a2a; margin: .2rem 0 .2rem 1rem; } .why { color: #868e96; margin-left: 1rem; }
dl { display: grid; grid-template-columns: 6rem 1fr; gap: .2rem .8rem; margin: .4rem 0 1rem 1rem; }
dt { color: #868e96; } dd { margin: 0; } .agent { color: #2b8a3e; } .caller { color: #0b7285; }
small { color: #868e96; }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #1a1b1e; } }
"""


def write_page(
    played: Sequence[Played], path: Path, driver: str, decision: Decision | None = None
) -> None:
    """Write the page; it needs nothing but itself."""
    ordered = sorted(played, key=lambda one: (one.holds, -WORST[one.status], one.name))
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width'>",
        f"<title>pickup eval, {escape(driver)}</title><style>{STYLE}</style>",
        f"<h1>pickup eval, {escape(driver)}</h1><p>{escape(str(tally(played)))}</p>",
        *(_gate(decision) if decision else ()),
        *(part for one in ordered for part in _run(one)),
        "</html>",
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")


def _gate(decision: Decision) -> Iterator[str]:
    yield f"<p>The gate says: <b>{decision.exit.name.lower()}</b>.</p>"
    if decision.changed:
        changed = escape(", ".join(decision.changed))
        yield f"<p><small>Changed since the baseline: {changed}.</small></p>"
    for one in decision.regressions:
        yield f"<p class='fault'>{escape(one.run.name)}: {escape(one.why)}</p>"


def _run(one: Played) -> Iterator[str]:
    kind = "pending" if one.pending and one.status is Status.FAILED else str(one.status)
    shown = "" if one.holds else " open"
    yield f"<details class='{kind}'{shown}><summary>{escape(one.name)}"
    yield f" <small>{escape(one.origin)}, {one.seconds * 1000:.0f} ms</small></summary>"
    if one.why:
        yield f"<p class='why'>{escape(one.why)}</p>"
    if not one.steady:
        yield "<p class='fault'>its repeats decided differently</p>"
    for fault in one.faults:
        yield f"<p class='fault'>{escape(fault)}</p>"
    if one.talk:
        yield "<dl>"
        for spoke in one.talk:
            yield from _exchange(spoke)
        yield "</dl>"
    yield "</details>"


def _exchange(spoke: Spoke) -> Iterator[str]:
    if spoke.caller:
        moves = ", ".join(spoke.moves)
        yield f"<dt>caller</dt><dd class='caller'>{escape(spoke.caller)}"
        yield f" <small>{escape(moves)}</small></dd>"
    for tool in spoke.tools:
        yield f"<dt>tool</dt><dd>{escape(tool)}</dd>"
    yield f"<dt>{escape(spoke.step)}</dt><dd class='agent'>{escape(spoke.agent) or '—'}</dd>"
    for words in spoke.unbacked:
        yield f"<dt></dt><dd class='fault'>nothing backs: {escape(words)}</dd>"
