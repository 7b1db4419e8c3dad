"""A scripted SIP caller on loopback: INVITE, CANCEL, BYE, PCMU both ways, keys (RFC 4733).

It is what the trunk's provider is to the PBX. No SIP library that can react to sound and
hang up at a given moment was to be had for Python 3.11 on Debian 12.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import struct
import time
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Pcm = npt.NDArray[np.int16]

LINE_RATE = 8000
PACKET_SAMPLES = 160
KEYS = "0123456789*#"
LOUD = 1000
"""A packet whose peak is above this is sound; G.711's noise floor is 8."""


def _ulaw_tables() -> tuple[Pcm, npt.NDArray[np.uint8]]:
    """Return G.711 µ-law as tables: byte to sample, and sample + 32768 to byte."""
    code = ~np.arange(256) & 0xFF
    exponent, mantissa = (code >> 4) & 7, code & 15
    magnitude = ((mantissa << 3) + 0x84 << exponent) - 0x84
    decode = np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)
    samples = np.arange(-32768, 32768)
    biased = np.minimum(np.abs(samples), 32635) + 0x84
    exponent = np.floor(np.log2(biased)).astype(int) - 7
    mantissa = (biased >> (exponent + 3)) & 15
    encode = ~(np.where(samples < 0, 0x80, 0) | (exponent << 4) | mantissa) & 0xFF
    return decode, encode.astype(np.uint8)


DECODE, ENCODE = _ulaw_tables()


def tone(frequency: float, duration: float, rate: int = LINE_RATE) -> Pcm:
    """Return a sine of ``duration`` seconds."""
    at = np.arange(int(rate * duration)) / rate
    return (8000 * np.sin(2 * np.pi * frequency * at)).astype(np.int16)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, take: Any) -> None:
        self._take = take
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        self._take(data, address)

    @property
    def port(self) -> int:
        return int(self.transport.get_extra_info("sockname")[1])


class SipCaller:
    """One call. ``async with SipCaller(pbx, number) as caller: await caller.dial()``."""

    def __init__(
        self,
        pbx: tuple[str, int],
        number: str,
        *,
        caller: str = "+13165550111",
        headers: tuple[str, ...] = (),
        host: str = "127.0.0.2",
    ) -> None:
        self.heard: list[tuple[float, Pcm]] = []
        self.ended = asyncio.Event()
        self.answered = False
        self._pbx, self._number, self._caller = pbx, number, caller
        self._headers, self._host = headers, host
        self._sip, self._rtp = _Datagrams(self._take_sip), _Datagrams(self._take_rtp)
        self._responses: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
        self._id, self._tag = secrets.token_hex(16), secrets.token_hex(4)
        self._branch = f"z9hG4bK{secrets.token_hex(6)}"
        self._to = f"<sip:{number}@{pbx[0]}>"
        self._contact = f"sip:{number}@{pbx[0]}:{pbx[1]}"
        self._sequence = 1
        self._target: tuple[str, int] | None = None
        self._stamp = 0
        self._packets: list[bytes] = []
        self._talking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for side in (self._sip, self._rtp):
            await loop.create_datagram_endpoint(lambda s=side: s, local_addr=(self._host, 0))  # type: ignore[misc]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.hang_up()
        for side in (self._sip, self._rtp):
            side.transport.close()

    async def dial(self, seconds: float = 10.0) -> int:
        """Call, and return the final SIP status; 200 is answered."""
        self._send("INVITE", self._sdp(), branch=self._branch, headers=self._headers)
        async with asyncio.timeout(seconds):
            while (response := await self._responses.get())[0] < 200:
                self._learn(response[1])
        status, text = response
        self._learn(text)
        self._send("ACK", branch=None if status < 300 else self._branch)
        if status < 300:
            self.answered = True
            address = re.search(r"c=IN IP4 (\S+)", text)
            port = re.search(r"m=audio (\d+)", text)
            assert address is not None
            assert port is not None
            self._target = (address[1], int(port[1]))
            self._talking = asyncio.create_task(self._talk())
        else:
            self.ended.set()
        return status

    def cancel(self) -> None:
        """Hang up before the answer; ``dial`` then returns 487."""
        self._send("CANCEL", branch=self._branch)

    async def hang_up(self) -> None:
        """Hang up after the answer; nothing happens if the call is over."""
        if self._talking is not None:
            self._talking.cancel()
            await asyncio.wait([self._talking])
            self._talking = None
        if self.answered and not self.ended.is_set():
            self.ended.set()
            self._sequence += 1
            self._send("BYE")
            async with asyncio.timeout(2):
                await self._responses.get()

    def say(self, pcm: Pcm) -> None:
        """Queue 8 kHz audio to be sent in real time."""
        coded = ENCODE[pcm.astype(np.int32) + 32768].tobytes()
        for start in range(0, len(coded) - PACKET_SAMPLES + 1, PACKET_SAMPLES):
            self._packets.append(b"\x00" + coded[start : start + PACKET_SAMPLES])

    def mute(self) -> None:
        """Send no more packets, as a line whose sound is lost on the way."""
        assert self._talking is not None
        self._talking.cancel()

    def press(self, keys: str) -> None:
        """Queue keys as RFC 4733 events of 160 ms, 80 ms apart, the end packet sent thrice."""
        for key in keys:
            for step in (*range(1, 9), 8, 8, 8):
                last = 0x80 if step == 8 else 0
                event = struct.pack("!BBH", KEYS.index(key), 10 | last, PACKET_SAMPLES * step)
                self._packets.append(b"\x65" + bytes([step == 1]) + event)
            self.say(np.zeros(4 * PACKET_SAMPLES, np.int16))

    @property
    def loud(self) -> list[Pcm]:
        """The packets heard so far that are sound, in order."""
        return [pcm for _, pcm in self.heard if np.abs(pcm).max() > LOUD]

    @property
    def loud_seconds(self) -> float:
        """How much sound was heard so far."""
        return len(self.loud) * PACKET_SAMPLES / LINE_RATE

    def pitch(self) -> float:
        """Return the strongest frequency in all the sound heard, Hz."""
        sound = np.concatenate(self.loud).astype(float)
        return float(np.abs(np.fft.rfft(sound)).argmax() * LINE_RATE / len(sound))

    # ── RTP ──

    async def _talk(self) -> None:
        assert self._target is not None
        silence = b"\x00" + b"\xff" * PACKET_SAMPLES
        began, number, ssrc = time.monotonic(), 0, secrets.randbits(32)
        event_stamp = 0
        while True:
            packet = self._packets.pop(0) if self._packets else silence
            kind, mark, stamp, payload = packet[0], 0, self._stamp, packet[1:]
            if kind == 0x65:
                mark, payload = payload[0], payload[1:]
                event_stamp = stamp if mark else event_stamp
                stamp = event_stamp
            head = struct.pack(
                "!BBHII", 0x80, kind | mark << 7, number & 0xFFFF, stamp & 0xFFFFFFFF, ssrc
            )
            self._rtp.transport.sendto(head + payload, self._target)
            self._stamp += PACKET_SAMPLES
            number += 1
            await asyncio.sleep(max(0.0, began + number * 0.02 - time.monotonic()))

    def _take_rtp(self, data: bytes, _: object) -> None:
        if len(data) > 12 and data[1] & 0x7F == 0:
            self.heard.append((time.monotonic(), DECODE[np.frombuffer(data[12:], np.uint8)]))

    # ── SIP ──

    def _take_sip(self, data: bytes, address: tuple[str, int]) -> None:
        text = data.decode()
        first = text.split("\r\n", 1)[0]
        if first.startswith("SIP/2.0"):
            # The answer to a CANCEL says nothing that the INVITE's 487 does not.
            if "CANCEL" not in self._header(text, "CSeq"):
                self._responses.put_nowait((int(first.split()[1]), text))
            return
        if first.startswith("ACK"):
            return
        if first.startswith("BYE"):
            self.ended.set()
        same = ("Via", "From", "To", "Call-ID", "CSeq")
        lines = [f"{name}: {self._header(text, name)}" for name in same]
        reply = "\r\n".join(["SIP/2.0 200 OK", *lines, "Content-Length: 0", "", ""])
        self._sip.transport.sendto(reply.encode(), address)

    @staticmethod
    def _header(text: str, name: str) -> str:
        found = re.search(rf"(?im)^{name}:\s*(.*?)\r?$", text)
        return found[1] if found else ""

    def _learn(self, text: str) -> None:
        self._to = self._header(text, "To") or self._to
        contact = re.search(r"<([^>]+)>", self._header(text, "Contact"))
        self._contact = contact[1] if contact else self._contact

    def _send(
        self,
        method: str,
        body: str = "",
        branch: str | None = None,
        headers: tuple[str, ...] = (),
    ) -> None:
        to = self._to if method != "CANCEL" else self._to.split(";tag")[0]
        uri = self._contact if method in ("ACK", "BYE") else None
        here = f"{self._host}:{self._sip.port}"
        lines = [
            f"{method} {uri or f'sip:{self._number}@{self._pbx[0]}:{self._pbx[1]}'} SIP/2.0",
            f"Via: SIP/2.0/UDP {here};rport;branch={branch or f'z9hG4bK{secrets.token_hex(6)}'}",
            "Max-Forwards: 70",
            f"From: <sip:{self._caller}@{self._host}>;tag={self._tag}",
            f"To: {to}",
            f"Call-ID: {self._id}",
            f"CSeq: {self._sequence} {method}",
            f"Contact: <sip:{self._caller}@{here}>",
            *headers,
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        self._sip.transport.sendto(("\r\n".join(lines) + "\r\n\r\n" + body).encode(), self._pbx)

    def _sdp(self) -> str:
        return (
            f"v=0\r\no=- 1 1 IN IP4 {self._host}\r\ns=-\r\nc=IN IP4 {self._host}\r\nt=0 0\r\n"
            f"m=audio {self._rtp.port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n"
            "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\n"
        )
