"""One call, from answer to release: what joins phone, ear, turns, mind and mouth.

``call`` carries out what turn-taking decides, ``ahead`` thinks before the caller is done,
``keeping`` has promises made and kept. Nothing else knows all the parts.
"""

from agent.call.call import Call
from agent.call.parts import Parts

__all__ = ["Call", "Parts"]
