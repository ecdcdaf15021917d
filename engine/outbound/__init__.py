"""Outbound HTTP, guarded: a caller's address must not reach what only this machine or its network may reach (SSRF).

guard        decides where calls may go
lookups      finds the addresses of a host, without waiting for a resolver that hangs
connections  connects to addresses that were checked, and keeps connections
exchange     one request and answer over a connection: bounded in bytes and work
calls        one call: bounded in time
"""

from __future__ import annotations

from engine.outbound.calls import Answer, Failure, Outbound, Withdrawn
from engine.outbound.guard import Guard

__all__ = ["Answer", "Failure", "Guard", "Outbound", "Withdrawn"]
