"""SIPp plays a scenario to the PBX: what a provider, a phone or a stranger may do in SIP.

A scenario is written step by step and becomes SIPp's XML. Sound is sent, not heard: what
arrived is seen on the agent's side.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from agent.settings import CHECKOUT, Settings
from tests.pbx.sip_caller import ENCODE, tone

TRUNK: Final = "127.0.0.2"
STEP_SECONDS: Final = 15.0
"""Longest wait for one answer of the PBX."""

PCMU: Final = 0
PCMA: Final = 8
NAMES: Final = {PCMU: "PCMU", PCMA: "PCMA", 18: "G729"}

_HEAD: Final = (
    "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[{branch}]",
    "Max-Forwards: 70",
    "From: <sip:+13165550177@[local_ip]>;tag=[pid]s[call_number]",
    "To: <sip:{to}@[remote_ip]>{tag}",
    "Call-ID: [call_id]",
    "CSeq: {cseq} {method}",
    "Contact: <sip:caller@[local_ip]:[local_port]>",
    "Allow: INVITE, ACK, BYE, CANCEL, UPDATE, OPTIONS",
)


def sdp(*codecs: int, direction: str = "sendrecv", version: int = 1) -> str:
    """Return an offer of ``codecs`` (RTP payload types)."""
    return "\n".join(
        [
            "v=0",
            f"o=caller 1 {version} IN IP4 [media_ip]",
            "s=-",
            "c=IN IP4 [media_ip]",
            "t=0 0",
            f"m=audio [rtpstream_audio_port] RTP/AVP {' '.join(map(str, codecs))}",
            *(f"a=rtpmap:{codec} {NAMES[codec]}/8000" for codec in codecs),
            f"a={direction}",
        ]
    )


class Scenario:
    """Steps of one call, seen from the caller."""

    def __init__(self, to: str = "[service]") -> None:
        """Begin a call to ``to``; as it comes, to the restaurant."""
        self._steps: list[str] = []
        self._cseq = 0
        self._invited_at = 0
        self._checks = 0
        self._muted = False
        self._to = to
        self._again = 0
        self._inviting = False

    def send(
        self, method: str, *headers: str, body: str = "", kind: str = "sdp", first: bool = False
    ) -> Self:
        """Send a request; ``kind`` is of its body. ``first``: it is in no dialog yet."""
        self._cseq += 1
        if method == "INVITE":
            self._invited_at, self._inviting = len(self._steps), first
        self._request(method, self._cseq, "branch", headers, body, kind, first=first)
        return self

    def ack(self, *, refused: bool = False) -> Self:
        """Send the ACK of the last INVITE; of a refusal it belongs to the same transaction."""
        branch = f"branch-{len(self._steps) - self._invited_at}" if refused else "branch"
        self._request("ACK", self._cseq, branch, (), "", "", first=refused and self._inviting)
        return self

    def cancel(self) -> Self:
        """Take the last INVITE back."""
        branch = f"branch-{len(self._steps) - self._invited_at}"
        self._request("CANCEL", self._cseq, branch, (), "", "", first=True)
        return self

    def expect(self, status: int, *patterns: str, seconds: float = STEP_SECONDS) -> Self:
        """Wait for a response that has all ``patterns``."""
        if status >= 200:  # the wait begins at the first that may come
            limit = int(seconds * 1000)
            self._steps.append(f'<recv response="100" optional="true" timeout="{limit}"/>')
        route = ' rrs="true"' if 200 <= status < 300 else ""
        self._receive(f'response="{status}"{route}', patterns, seconds)
        return self

    def expect_request(self, method: str, *patterns: str, seconds: float = STEP_SECONDS) -> Self:
        """Wait for a request of the PBX and accept it; answers sent again are passed over."""
        self._again += 1
        self._steps.append(f'<label id="{self._again}"/>')
        limit = f'next="{self._again}" timeout="{int(seconds * 1000)}"'
        self._steps.append(f'<recv response="200" optional="true" {limit}/>')
        self._receive(f'request="{method}"', patterns, seconds)
        lines = [f"[last_{name}:]" for name in ("Via", "From", "To", "Call-ID", "CSeq")]
        self._send(["SIP/2.0 200 OK", *lines, "Contact: <sip:caller@[local_ip]:[local_port]>"], "")
        return self

    def answered(self, *headers: str, codecs: tuple[int, ...] = (PCMU,)) -> Self:
        """Call and be answered."""
        self.send("INVITE", *headers, body=sdp(*codecs), first=True)
        return self.expect(200).ack()

    def hang_up(self) -> Self:
        """Say BYE, and be heard."""
        return self.send("BYE").expect(200)

    def play(self, sound: Path, codec: int = PCMU) -> Self:
        """Send a sound from now on, over and over."""
        if self._muted:
            self._muted = False
            self._action('<exec rtp_stream="resume"/>')
        return self._action(f'<exec rtp_stream="{sound},-1,{codec}"/>')

    def mute(self) -> Self:
        """Send no RTP any more."""
        self._muted = True
        return self._action('<exec rtp_stream="pause"/>')

    def pause(self, milliseconds: int) -> Self:
        """Let the sound go on for a while."""
        self._steps.append(f'<pause milliseconds="{milliseconds}"/>')
        return self

    def xml(self) -> str:
        """Return it as SIPp reads it."""
        seen = ",".join(f"check{number}" for number in range(1, self._checks + 1))
        end = f'<Reference variables="{seen}"/>' if seen else ""
        head = '<?xml version="1.0" encoding="us-ascii"?>\n<scenario name="pickup">'
        return "\n".join([head, *self._steps, end, "</scenario>", ""])

    def _action(self, action: str) -> Self:
        self._steps.append(f"<nop><action>{action}</action></nop>")
        return self

    def _receive(self, what: str, patterns: tuple[str, ...], seconds: float) -> None:
        checks = ""
        for pattern in patterns:
            self._checks += 1
            checks += (
                f'<ereg regexp="{pattern}" search_in="msg" check_it="true"'
                f' assign_to="check{self._checks}"/>'
            )
        action = f"<action>{checks}</action>" if checks else ""
        self._steps.append(f'<recv {what} timeout="{int(seconds * 1000)}">{action}</recv>')

    def _request(
        self,
        method: str,
        cseq: int,
        branch: str,
        headers: tuple[str, ...],
        body: str,
        kind: str,
        *,
        first: bool,
    ) -> None:
        uri = f"sip:{self._to}@[remote_ip]:[remote_port]" if first else "[next_url]"
        tag = "" if first and method != "ACK" else "[peer_tag_param]"
        head = [
            line.format(branch=branch, to=self._to, tag=tag, cseq=cseq, method=method)
            for line in _HEAD
        ]
        lines = [f"{method} {uri} SIP/2.0", *head, *headers]
        if body:
            lines.append(f"Content-Type: application/{kind}")
        self._send(lines, body)

    def _send(self, lines: list[str], body: str) -> None:
        text = "\n".join([*lines, "Content-Length: [len]", "", body])
        self._steps.append(f"<send><![CDATA[\n\n{text}\n\n]]></send>")


def sound_file(folder: Path, frequency: int, codec: int = PCMU) -> Path:
    """Write a second of a tone as SIPp plays it, and return where."""
    path = folder / f"{NAMES[codec]}-{frequency}"
    pcm = tone(frequency, 1.0).astype(np.int32)
    if codec == PCMU:
        coded = ENCODE[pcm + 32768]
    else:
        levels = _alaw_levels()
        order = np.argsort(levels)
        middles = (levels[order][1:] + levels[order][:-1]) / 2
        coded = order[np.searchsorted(middles, pcm)].astype(np.uint8)
    path.write_bytes(coded.tobytes())
    return path


def _alaw_levels() -> npt.NDArray[np.int_]:
    """Return what each of G.711 A-law's 256 codes stands for."""
    code = np.arange(256) ^ 0x55
    exponent, mantissa = (code >> 4) & 7, code & 15
    magnitude = ((mantissa << 4) + np.where(exponent, 0x108, 8)) << np.maximum(exponent - 1, 0)
    levels: npt.NDArray[np.int_] = np.where(code & 0x80, magnitude, -magnitude)
    return levels


def program() -> str:
    """Return the SIPp to run."""
    unpacked = CHECKOUT / "build" / "sipp" / "bin" / "sipp"
    found = str(unpacked) if unpacked.is_file() else shutil.which("sipp")
    assert found, "no sipp: run deploy/sipp"
    return found


async def play(
    scenario: Scenario,
    settings: Settings,
    folder: Path,
    *,
    source: str = TRUNK,
    calls: int = 1,
    rate: int = 10,
    seconds: float = 40.0,
) -> None:
    """Play ``scenario`` so many times; it fails where a step does not go as written."""
    script, log, screen = folder / "scenario.xml", folder / "errors", folder / "screen"
    await asyncio.to_thread(_write, script, scenario.xml())
    with screen.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            program(),
            *("-sf", str(script), "-m", str(calls), "-r", str(rate), "-i", source, "-mi", source),
            *("-s", settings.trunk.number, "-nostdin", "-nr", "-trace_err"),
            *("-error_file", str(log), "-timeout", str(int(seconds)), "-timeout_error"),
            f"{settings.pbx.sip_host}:{settings.pbx.sip_port}",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={"TERM": "xterm", "PATH": os.environ["PATH"]},
        )
        try:
            status = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    told = log if log.exists() else screen
    assert status == 0, told.read_text("utf-8", "replace")[-2000:]


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(text)
