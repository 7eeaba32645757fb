"""Changes to bytes for fuzzing without atheris: the same seed makes the same inputs."""

from __future__ import annotations

import random
from collections.abc import Sequence

LONGEST = 20_000
_NUMBERS = (b"0", b"-1", b"255", b"65536", b"2147483648", b"99999999999999999999", b"1e400")


def mutate(chance: random.Random, data: bytes, others: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """`data` after one to six changes, some of them with pieces of other inputs or with `words`."""
    changed = bytearray(data)
    for _ in range(1 + min(5, int(chance.expovariate(0.6)))):
        start = chance.randrange(len(changed) + 1)
        stop = min(len(changed), start + int(chance.expovariate(1 / 20)) + 1)
        match chance.randrange(10):
            case 0 if changed:
                changed[min(start, len(changed) - 1)] ^= 1 << chance.randrange(8)
            case 1 if changed:
                changed[min(start, len(changed) - 1)] = chance.randrange(256)
            case 2:
                del changed[start:stop]
            case 3:
                changed[start:start] = changed[start:stop] * chance.choice((1, 2, 40))
            case 4:
                del changed[start:]
            case 5:
                other = chance.choice(others)
                cut = chance.randrange(len(other) + 1)
                changed[start:stop] = other[cut : cut + (stop - start) * 4]
            case 6:
                changed[start:start] = chance.choice(_NUMBERS)
            case 7:
                changed[start:stop] = bytes(chance.randrange(256) for _ in range(stop - start))
            case 8:
                changed[start:start] = chance.choice(words) * chance.choice((1, 1, 1, 300))
            case _:
                changed[start:start] = chance.choice(words)
    return bytes(changed[:LONGEST])
