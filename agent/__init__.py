"""Pickup: the phone agent that answers when a small restaurant's staff can't.

Read the package as the sound travels: phone → ear → turns → mind → mouth → phone.
"""

__version__ = "0.1.0"
