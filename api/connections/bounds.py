"""What a client may take up below HTTP's meaning."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """What clients may take up; sizes in bytes, times in seconds."""

    connections: int = 800  # of all clients
    line: int = 20_000  # the target, or one header field: two of the largest tokens and the longest query fit a head
    head: int = 64 * 1024  # all of a head; as much, and once its own size, may stand around the chunks of a body
    fields: int = 100
    pipelined: int = 32  # requests that wait behind the one that is being answered
    head_time: float = 20.0  # for a head, from the connection or from its first byte on
    body_time: float = 30.0  # for a body, from its head on; as much again after the client had to wait for us
    stall_time: float = 30.0  # for PROGRESS of an answer
