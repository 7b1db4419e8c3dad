"""The ear: who speaks, what they say, and how long to wait for more.

``EarEngine`` loads one Vosk model for the process; ``engine.open()`` gives each call its
``Ear``.
"""

from agent.ear.ear import Ear, EarEngine
from agent.ear.listen import listen
from agent.ear.own_words import words_of

__all__ = ["Ear", "EarEngine", "listen", "words_of"]
