"""Benchmarks: one file per question; each prints ratios to a limit or a peer measured beside it in the same run."""
