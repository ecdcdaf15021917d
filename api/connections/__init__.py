"""Connections of clients, below HTTP's meaning: how many there are, and what each may send and leave waiting.

uvicorn parses requests without end and waits for clients without end. This protocol adds the bounds, and refuses here
what never becomes a request; everything else goes on to the application as before.

connection.py   one client's connection: what it sends, and by when
heads.py        the head of a request
taking.py       what it takes of its answers
room.py         which connection makes room for another
refusals.py     what is answered to what never becomes a request
bounds.py       the numbers
descriptors.py  the system's limit of open files
"""

from api.connections.bounds import Bounds
from api.connections.connection import Connection, bounded
from api.connections.descriptors import DESCRIPTORS, reserve_descriptors
from api.connections.room import HEALTH, SPARE

__all__ = ["DESCRIPTORS", "HEALTH", "SPARE", "Bounds", "Connection", "bounded", "reserve_descriptors"]
