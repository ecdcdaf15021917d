"""Outbound HTTP, guarded: a caller's address must not reach what only this machine or its network may reach (SSRF).

guard        decides where calls may go
connections  connects to addresses that were checked, and keeps connections
calls        one call: bounded in time and size
"""

from __future__ import annotations

from engine.outbound.calls import Answer, Failure, Outbound
from engine.outbound.guard import Guard

__all__ = ["Answer", "Failure", "Guard", "Outbound"]
