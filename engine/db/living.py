"""Which processes live, by the database's clock."""

from __future__ import annotations

from engine.db.dialects import after
from engine.db.tables import ALIVE, processes

# One that was seen later than now has beaten before the clock was set back; who lives has beaten since.
LIVES = processes.c.seen.between(after(-ALIVE), after(ALIVE))
