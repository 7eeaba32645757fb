"""Fuzzing of everything that meets a stranger's bytes: `make fuzz`, or `python -m fuzz.run --help`."""
