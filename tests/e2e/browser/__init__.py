"""A package, so that its browser and installations end with its last test."""
