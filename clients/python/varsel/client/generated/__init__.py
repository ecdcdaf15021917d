"""What follows from /openapi.json; `make clients` writes this file."""
