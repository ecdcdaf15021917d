"""Due work: lanes, claims, leases, pauses, and the wake-ups that tell of it."""
