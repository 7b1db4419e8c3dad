"""The part of the voice that learns: Piper's symbols to vocoder parameters.

Symbols are encoded together with where in their phrase they stand, and each gets a duration for
each of its three states: the teacher is a forest of decision trees, one tree a state, so
that a frame can only be right if its state's bounds are. States are spread over their time in
steps of 10 ms; a decoder that knows where in its state, symbol and phrase every step lies draws
the two 5 ms frames of each. All layers are matrix products on shifted copies, which is what a
CPU is best at.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from align import STATES
from teacher import BANDS, CEPSTRA, symbol_ids
from torch import Tensor, nn

VALUES = CEPSTRA + 1 + 1 + BANDS
"""Values of a frame: cepstra, log F0, voiced (a logit), strengths."""
LOG_F0, VOICED = CEPSTRA, CEPSTRA + 1
FRAMES_IN_STEP = 2
SYMBOLS = 256
PLACES = 24
"""Ways to say where a step lies (`places`)."""
_BREAKS, _VOWELS, _STRESSES, _WORDS = "^$.,?!;:—", "aeiouæɐɑɔəɚɛɜɪʊʌᵻ", "ˈ", " "
_COUNTED = (_VOWELS, _STRESSES, _WORDS)


class Block(nn.Module):
    """A dilated convolution over three positions, with a way around it."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.norm = nn.LayerNorm(width)
        self.wide = nn.Linear(3 * width, width)
        self.back = nn.Linear(width, width)
        nn.init.zeros_(self.back.weight)
        nn.init.zeros_(self.back.bias)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return x, [batch, positions, width], with its neighbours mixed in."""
        y = self.norm(x)
        if mask is not None:
            y = y * mask
        if torch.is_autocast_enabled("cpu"):
            y = y.bfloat16()  # the copies below then cost half
        edge = torch.zeros_like(y[:, :1]).expand(-1, self.dilation, -1)
        padded = torch.cat([edge, y, edge], 1)
        size = y.shape[1]
        near = [padded[:, :size], y, padded[:, 2 * self.dilation :]]
        return x + self.back(torch.relu(self.wide(torch.cat(near, 2))))


class Reader(nn.Module):
    """Symbols, each with its neighbours and its place in the phrase."""

    def __init__(self, width: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.embedding = nn.Embedding(SYMBOLS, width)
        self.phrase = nn.Linear(4 * len(_COUNTED), width)
        self.blocks = nn.ModuleList(Block(width, dilation) for dilation in dilations)
        self.register_buffer("breaks", marks_of(_BREAKS), persistent=False)
        for at, kind in enumerate(_COUNTED):
            self.register_buffer(f"counted{at}", marks_of(kind), persistent=False)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return [batch, symbols, width]; ``mask``, [batch, symbols, 1], is 0 where padded."""
        x: Tensor = self.embedding(ids) + self.phrase(self._phrase_places(ids))
        for block in self.blocks:
            x = block(x, mask)
        return x

    def _phrase_places(self, ids: Tensor) -> Tensor:
        """Return how many vowels, stresses and words lie before and behind, in the phrase."""
        breaks = self.breaks[ids]
        found = []
        for at in range(len(_COUNTED)):
            count = torch.cumsum(getattr(self, f"counted{at}")[ids], 1)
            first, last = phrase_bounds(breaks, count, count)
            for many in (count - first, last - count):
                found += [many.clamp(max=40.0) * 0.1, torch.exp(-0.5 * many)]
        return torch.stack(found, -1)


class Acoustic(nn.Module):
    """Symbols to durations, and symbols with durations to frames.

    The two share nothing: durations are learned from symbols alone, many sentences at a time.
    """

    def __init__(
        self,
        symbol_width: int = 192,
        step_width: int = 256,
        reader: tuple[int, ...] = (1, 2, 4, 8, 1),
        timer: tuple[int, ...] = (1, 2, 4, 8, 1, 1, 2),
        decoder: tuple[int, ...] = (1, 2, 4, 8, 2, 1),
    ) -> None:
        super().__init__()
        self.timer = Reader(symbol_width, timer)
        self.time_out = nn.Linear(symbol_width, STATES)
        self.reader = Reader(symbol_width, reader)
        self.states = nn.Linear(symbol_width, STATES * step_width)
        self.place = nn.Linear(PLACES, step_width)
        self.decoder = nn.ModuleList(Block(step_width, dilation) for dilation in decoder)
        self.norm = nn.LayerNorm(step_width)
        self.out = nn.Linear(step_width, FRAMES_IN_STEP * VALUES)
        self.register_buffer("mean", torch.zeros(VALUES))
        self.register_buffer("deviation", torch.ones(VALUES))

    @property
    def breaks(self) -> Tensor:
        """1 for each id that parts phrases, [256]."""
        return self.reader.breaks

    def time(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the log of 1 + frames of each state, [batch, symbols, 3].

        Args:
            ids: [batch, symbols].
            mask: [batch, symbols, 1], 0 where a batch is padded.
        """
        timing: Tensor = self.time_out(self.timer(ids, mask))
        return timing

    def encode(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return what each state is, [batch, 3 * symbols, width]; arguments as for `time`."""
        states: Tensor = self.states(self.reader(ids, mask))
        return states.reshape(ids.shape[0], -1, self.norm.weight.shape[0])

    def decode(self, spread: Tensor, places: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return [batch, steps, 2 * 32], each value in its own deviations from its mean."""
        x = spread + self.place(places)
        for block in self.decoder:
            x = block(x, mask)
        result: Tensor = self.out(self.norm(x))
        return result


def marks_of(signs: str) -> Tensor:
    """Return 1 for each id whose symbol begins with one of ``signs``, [256]."""
    marks = torch.zeros(SYMBOLS)
    for symbol, ids in symbol_ids().items():
        marks[ids[0]] = float(symbol[0] in signs)
    return marks


def phrase_bounds(breaks: Tensor, starts: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
    """Return for each symbol where its phrase begins and ends, both [batch, symbols].

    Args:
        breaks: 1 where a symbol parts phrases, [batch, symbols].
        starts: Of each symbol, in any unit that grows along the sentence.
        ends: Likewise.
    """
    order = torch.arange(breaks.shape[1], device=breaks.device)
    before = (order[None] <= order[:, None])[None] & (breaks[:, None] > 0)
    behind = (order[None] >= order[:, None])[None] & (breaks[:, None] > 0)
    first = torch.where(before, ends[:, None], torch.zeros(())).amax(2)
    last = torch.where(behind, starts[:, None], ends[:, None, -1:]).amin(2)
    return first, last


@dataclass(slots=True)
class Bounds:
    """States laid out in time, in 5 ms frames; all [3 * symbols].

    Attributes:
        start: First frame of each state.
        length: Frames of each.
        symbol_start: First frame of its symbol.
        symbol_length: Frames of its symbol.
        phrase_start: Where its phrase begins.
        phrase_end: And where it ends.
    """

    start: Tensor
    length: Tensor
    symbol_start: Tensor
    symbol_length: Tensor
    phrase_start: Tensor
    phrase_end: Tensor

    @classmethod
    def of(cls, ends: Tensor, breaks: Tensor) -> Bounds:
        """Lay out states that end at ``ends``, [3 * symbols], of symbols that are breaks or not."""
        starts = torch.cat([torch.zeros_like(ends[:1]), ends[:-1]])
        symbol_ends = ends.reshape(-1, STATES)[:, -1]
        symbol_starts = starts.reshape(-1, STATES)[:, 0]
        # Punctuation at which the teacher made no pause parts nothing.
        real = breaks * (symbol_ends > symbol_starts).to(breaks.dtype)
        first, last = phrase_bounds(real[None], symbol_starts[None], symbol_ends[None])

        def each(values: Tensor) -> Tensor:
            return values[:, None].expand(-1, STATES).reshape(-1)

        return cls(
            starts,
            ends - starts,
            each(symbol_starts),
            each(symbol_ends - symbol_starts),
            each(first[0]),
            each(last[0]),
        )


def places(time: Tensor, state: Tensor, bounds: Bounds) -> Tensor:
    """Return where each step lies, in many ways, [steps, PLACES].

    Args:
        time: Middle of each step, in 5 ms frames.
        state: The state it belongs to, an index into ``bounds``.
        bounds: Of all states.
    """
    number = state % STATES
    start, length = bounds.start[state], bounds.length[state]
    since, left = time - start, start + length - time
    symbol_start, symbol_length = bounds.symbol_start[state], bounds.symbol_length[state]
    in_symbol, symbol_left = time - symbol_start, symbol_start + symbol_length - time
    phrase_start, phrase_end = bounds.phrase_start[state], bounds.phrase_end[state]
    in_phrase = (time - phrase_start).clamp(min=0.0)
    phrase_left = (phrase_end - time).clamp(min=0.0)
    lengths = torch.cat([bounds.length[:1], bounds.length, bounds.length[-1:]])
    return torch.stack(
        [
            *((number == at).to(time.dtype) for at in range(STATES)),
            since / length.clamp(min=1.0),
            since * 0.1,
            left * 0.1,
            torch.exp(-0.3 * since),
            torch.exp(-0.3 * left),
            torch.log1p(length),
            length * 0.05,
            in_symbol / symbol_length.clamp(min=1.0),
            in_symbol * 0.05,
            symbol_left * 0.05,
            torch.exp(-0.2 * in_symbol),
            torch.exp(-0.2 * symbol_left),
            torch.log1p(symbol_length),
            torch.log1p(lengths[state]),
            torch.log1p(lengths[state + 2]),
            in_phrase / (in_phrase + phrase_left).clamp(min=1.0),
            in_phrase * 0.002,
            phrase_left * 0.002,
            torch.log1p(in_phrase) * 0.3,
            torch.log1p(phrase_left) * 0.3,
            torch.exp(-0.03 * phrase_left),
        ],
        -1,
    )
