"""Writes the parts of the clients that follow from the OpenAPI document: `make clients`."""
