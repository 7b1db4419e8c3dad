"""Speech: written text to spoken words, words to sound, sound to the caller."""

from agent.mouth.phrases import Phrases
from agent.mouth.player import AudioOut, Player
from agent.mouth.tts import Mouth

__all__ = ["AudioOut", "Mouth", "Phrases", "Player"]
