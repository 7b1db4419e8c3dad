"""The phone: Asterisk's calls as legs with events and audio, and the gate before them."""

from agent.phone.gate import GateServer
from agent.phone.leg import CallInfo, CallLeg
from agent.phone.media import Media
from agent.phone.server import OnCall, PhoneServer
from agent.phone.watchdog import Heartbeat

__all__ = ["CallInfo", "CallLeg", "GateServer", "Heartbeat", "Media", "OnCall", "PhoneServer"]
