"""Pickup: the phone agent that answers when a small restaurant's staff can't.

Read the package as the sound travels: phone → ear → turns → mind → mouth → phone.
"""

import os

# numpy reads it once, when it is first imported. Small matrices take twice the time on two threads,
# which spin while they wait (a turn understood: 23 ms in the median with two, 13 with one), and a
# call's decision must not take the core of another's ear.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"
