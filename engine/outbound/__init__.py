"""Outbound HTTP behind a guard: a caller's address must not reach this machine or its network (SSRF).

guard        decides where calls may go
lookups      finds the addresses of a host, without waiting for a resolver that hangs
connections  connects to checked addresses, and keeps connections
exchange     one request and its answer over a connection, bounded in bytes and work
calls        one call, bounded in time
signatures   what proves to the other side who calls
"""

from __future__ import annotations

from engine.outbound.calls import Answer, Barred, Failure, Outbound, Withdrawn
from engine.outbound.guard import Guard

__all__ = ["Answer", "Barred", "Failure", "Guard", "Outbound", "Withdrawn"]
