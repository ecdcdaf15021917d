"""The console: pages for operators, and how they come in."""
