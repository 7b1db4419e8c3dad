"""What was heard and done in a call, kept in a folder: recorder, bundles, measures."""

from __future__ import annotations

from agent.evidence.bundle import Bundle, find_bundle, read_bundle
from agent.evidence.recorder import Recorder, new_folder

__all__ = ["Bundle", "Recorder", "find_bundle", "new_folder", "read_bundle"]
