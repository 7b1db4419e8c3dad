"""Callers, drivers and gates: what puts Pickup to the proof on a real line."""
