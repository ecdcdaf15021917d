"""The peers: what a good engineer writes in an hour with well-known parts, and runs beside Varsel."""
