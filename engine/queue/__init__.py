"""Due work: lanes, claims, leases, the one loop that does it, pauses, and the wake-ups that tell of it."""
