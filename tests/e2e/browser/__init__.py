"""A package, so that its browser and its installations end with its last test."""
