"""Clients of the API, and the program that writes what follows from /openapi.json in them."""
