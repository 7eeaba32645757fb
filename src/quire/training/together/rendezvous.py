"""Where processes find each other: at the address that the environment names."""

from __future__ import annotations

import os
from datetime import timedelta

from torch.distributed import Store, TCPStore, rendezvous  # type: ignore[attr-defined]

from quire.errors import RunError
from quire.run.place import LISTENER, Place

WAITING = timedelta(minutes=5)  # machines of a cluster start minutes apart


def meeting_point(place: Place) -> Store:
    """The store that all processes share.  RunError where they do not meet."""
    address, port = os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"]
    try:
        if LISTENER in os.environ:
            handle = int(os.environ[LISTENER]) if place.first else None
            return TCPStore(address, int(port), place.count, place.first, timeout=WAITING, master_listen_fd=handle)
        store: Store = next(rendezvous("env://", place.number, place.count, timeout=WAITING))[0]
    except (RuntimeError, ValueError) as error:
        raise RunError(
            f"process {place.number} of {place.count} did not meet the others at {address}:{port}: "
            f"{str(error).splitlines()[0]}",
            "see that every machine reaches MASTER_ADDR, and that WORLD_SIZE processes were started",
            "processes",
        ) from error
    return store
