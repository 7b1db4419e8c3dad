"""What a call was worth, read from its evidence alone: computed checks first, a judge second."""

from __future__ import annotations

from agent.review.reviewer import review_bundle
from agent.review.schema import Flag, FlagKind, Review

__all__ = ["Flag", "FlagKind", "Review", "review_bundle"]
