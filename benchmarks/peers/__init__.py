"""How fast other trainers train on the machine that Quire trains on: `python -m benchmarks.peers` (see __main__.py)."""
