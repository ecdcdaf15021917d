"""The worker process and its actors."""
