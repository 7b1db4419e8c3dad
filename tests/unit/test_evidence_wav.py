"""WAV files: written by position, read whatever a kill left of them."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from agent.errors import EvidenceError
from agent.evidence.wav import HEADER_BYTES, Sound, WavWriter, header, read_wav, write_wav


def pcm(*values: int) -> bytes:
    return np.array(values, "<i2").tobytes()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    sound = Sound(8000, np.array([[1, -2], [3, -4], [32767, -32768]], np.int16))
    write_wav(tmp_path / "a.wav", sound)
    again = read_wav(tmp_path / "a.wav")
    assert again.rate == 8000
    assert again.samples.tolist() == sound.samples.tolist()
    assert again.channel(1).tolist() == [-2, -4, -32768]


def test_a_gap_is_silence_and_a_rewrite_wins(tmp_path: Path) -> None:
    writer = WavWriter(tmp_path / "a.wav")
    writer.write(4, pcm(5, 6))
    writer.write(0, pcm(1, 2))
    writer.write(1, pcm(9))
    writer.close(length=8)
    assert read_wav(tmp_path / "a.wav").channel(0).tolist() == [1, 9, 0, 0, 5, 6, 0, 0]


def test_the_header_is_right_once_a_second_without_close(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    writer = WavWriter(path)
    writer.write(0, bytes(2 * 16_000))
    (size,) = struct.unpack_from("<I", path.read_bytes(), 40)
    assert size == 2 * 16_000
    writer.close()


def test_a_file_cut_at_any_byte_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, Sound(16_000, np.arange(1, 21, dtype=np.int16).reshape(-1, 1)))
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        if length < HEADER_BYTES:
            with pytest.raises(EvidenceError):
                read_wav(path)
        else:
            kept = (length - HEADER_BYTES) // 2
            assert read_wav(path).channel(0).tolist() == list(range(1, kept + 1))


@pytest.mark.parametrize("claimed", [0, 2, 1_000_000, 0xFFFFFFFF])
def test_a_wrong_size_in_the_header_is_ignored(tmp_path: Path, claimed: int) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(header(0)[:40] + struct.pack("<I", claimed) + pcm(1, 2, 3))
    assert read_wav(path).channel(0).tolist() == [1, 2, 3]


def test_chunks_around_the_audio_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    plain = header(4)
    extra = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    path.write_bytes(plain[:36] + extra + plain[36:] + pcm(1, 2) + extra + bytes(8))
    assert read_wav(path).channel(0).tolist() == [1, 2]


def test_what_is_no_wav_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"ID3 not a wave at all")
    with pytest.raises(EvidenceError, match=r"a\.wav: is no WAV"):
        read_wav(path)
    with pytest.raises(EvidenceError, match="can't be read"):
        read_wav(tmp_path / "absent.wav")


def test_other_formats_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    data = bytearray(header(2))
    struct.pack_into("<H", data, 20, 7)  # µ-law
    path.write_bytes(bytes(data) + pcm(1))
    with pytest.raises(EvidenceError, match="format 7"):
        read_wav(path)
