"""Varsel: a self-hosted notification engine."""
