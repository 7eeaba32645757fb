"""What the embedded base is worth, measured: `python -m benchmarks.base` (see `__main__`)."""
