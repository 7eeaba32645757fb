"""Passages that stand twice: on a shelf, or in what is held out."""

import os

# Before numpy is loaded: integers need no threads, and OpenBLAS ends a process that may have none.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
