"""What the watch knows, as Prometheus reads it.

Served at ``/metrics`` (``exporter``), and rewritten every 2 s into ``<home>/metrics.prom`` for
node_exporter's textfile collector, for those who want no port more.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from agent import __version__

FILE: Final = "metrics.prom"


def render(state: Mapping[str, Any]) -> str:
    """Return the exposition text (format 0.0.4) of a watch's state, see ``watch_state``."""
    lines: list[str] = []

    def family(name: str, kind: str, words: str, samples: Iterator[tuple[str, float]]) -> None:
        lines.append(f"# HELP pickup_{name} {words}")
        lines.append(f"# TYPE pickup_{name} {kind}")
        lines.extend(f"pickup_{name}{labels} {value:.15g}" for labels, value in samples)

    def one(value: object) -> Iterator[tuple[str, float]]:
        if isinstance(value, int | float):  # what is not known yet is not told
            yield "", float(value)

    def many(label: str, values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
        for key, value in sorted(values.items()):
            yield f'{{{label}="{_escaped(key)}"}}', float(value)

    faults = state.get("faults", {})
    family("build_info", "gauge", "Version.", iter([(f'{{version="{__version__}"}}', 1.0)]))
    trunk = 1.0 if state.get("trunk") == "reachable" else 0.0
    family("watch_timestamp_seconds", "gauge", "When this was written.", one(state.get("time")))
    family("trunk_reachable", "gauge", "Whether the trunk answers OPTIONS.", one(trunk))
    family(
        "trunk_round_trip_seconds",
        "gauge",
        "How long the trunk takes to answer OPTIONS.",
        one(state.get("round_trip_seconds")),
    )
    family("calls_in_progress", "gauge", "Calls with the agent now.", one(state.get("calls_now")))
    family("calls_limit", "gauge", "How many the agent takes.", one(state.get("calls_limit")))
    family("promises_open", "gauge", "Texts not settled yet.", one(state.get("promises_open")))
    family("voicemail_waiting", "gauge", "Not passed on yet.", one(state.get("voicemail_waiting")))
    family("disk_free_bytes", "gauge", "Where the evidence lies.", one(state.get("disk_free")))
    family("calls_total", "counter", "Calls that ended on the trunk.", one(state.get("calls")))
    family(
        "calls_by_cause_total",
        "counter",
        "The same by Q.850 cause.",
        many("cause", state.get("causes", {})),
    )
    family(
        "rtp_stalls_total", "counter", "Calls whose sound stopped.", one(state.get("rtp_stalls"))
    )
    family(
        "asterisk_restarts_total",
        "counter",
        "Restarts of Asterisk seen.",
        one(state.get("asterisk_restarts")),
    )
    family(
        "security_events_total",
        "counter",
        "Refused strangers by kind.",
        many("event", state.get("security", {})),
    )
    family("fault", "gauge", "What is not well now.", many("name", dict.fromkeys(faults, 1)))
    return "\n".join(lines) + "\n"


def write(home: Path, state: Mapping[str, Any]) -> None:
    """Put the text in place whole.

    Raises:
        OSError: the disk did not take it.
    """
    draft = home / f".{FILE}.{os.getpid()}"
    draft.write_text(render(state), "utf-8")
    draft.chmod(0o644)  # node_exporter runs as somebody else; there is nothing personal in it
    draft.replace(home / FILE)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
