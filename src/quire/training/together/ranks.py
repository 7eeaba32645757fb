"""Several processes that train one model: who this one is among them, and the few things they must agree on.

Gradients are summed here, once a step, after every process has computed its share, and not by a wrapper that sums while
the backward pass runs: so a process may have fewer rows than another, or none, and all can agree that a step is not to
be taken (a loss that is not finite, memory that ran out in one of them) before any waits for a gradient that will not
come.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import Store  # type: ignore[attr-defined]

from quire.errors import Echo, QuireError, RunError, Stopped
from quire.planner.memory import BUCKET_BYTES
from quire.run.place import Place, place_here
from quire.training.relief import naming_out_of_memory
from quire.training.together.rendezvous import meeting_point

T = TypeVar("T")

# Others wait while the first prepares a corpus or writes samples.  A process that dies is noticed at once all the same:
# its connections close.
PATIENCE = timedelta(hours=24)
FAREWELL = 5.0  # seconds for which the first, which may keep the store, waits for the others to read why it leaves
FAILED, LEFT = "quire/failed", "quire/left"


class ProcessLost(Stopped):
    """Another process of the run is gone."""


@dataclass(frozen=True)
class Ranks:
    """This process's place, and what all do together; with a single process nothing is ever waited for."""

    place: Place = field(default_factory=Place)
    links: list[dist.ProcessGroup] = field(default_factory=list)  # emptied in the end, which closes the connections
    threads: int = 0  # that each of several processes may take, lest they get in each other's way

    @property
    def rank(self) -> int:
        return self.place.number

    @property
    def count(self) -> int:
        return self.place.count

    @property
    def several(self) -> bool:
        return self.place.count > 1

    @property
    def control(self) -> dist.ProcessGroup:
        """For small things in main memory, on GPUs too."""
        return self.links[0]

    @property
    def first(self) -> bool:
        return self.place.first

    def share(self, items: Sequence[T]) -> list[T]:
        """This process's share of what all have in the same order: every `count`-th, so that none has two more."""
        return list(items[self.rank :: self.count])

    def sum(self, *values: float) -> list[float]:
        """Each of the numbers summed over all processes, in float64, the same to the last bit in all."""
        if not self.several:
            return [float(value) for value in values]
        sums = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(sums, group=self.control)
        return sums.tolist()

    def most(self, *values: float) -> list[float]:
        """Each of the numbers where it is largest."""
        if not self.several:
            return [float(value) for value in values]
        largest = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(largest, dist.ReduceOp.MAX, group=self.control)
        return largest.tolist()

    def any(self, flag: bool) -> bool:
        """Whether it holds in any process."""
        return self.most(float(flag))[0] > 0

    def meet(self) -> None:
        """Wait until all are here."""
        if self.several:
            dist.barrier(group=self.control)

    def told(self, text: str = "") -> str:
        """What the first process says, in all of them."""
        if not self.several:
            return text
        said = torch.tensor(list(text.encode()), dtype=torch.uint8)
        size = torch.tensor([len(said)])
        dist.broadcast(size, 0, group=self.control)
        heard = said if self.first else torch.empty(int(size), dtype=torch.uint8)
        if len(heard):
            dist.broadcast(heard, 0, group=self.control)
        return bytes(heard.tolist()).decode()

    def lead(self, work: Callable[[], T]) -> T | None:
        """Let the first process do `work` while the others wait; they get None.

        Where it fails the first raises its error and the others raise Echo, with the exit code of that.
        """
        if not self.several:
            return work()
        return self.together(work if self.first else lambda: None)

    def together(self, work: Callable[[], T]) -> T:
        """Do `work` in all processes.  Where it fails in any it fails in all: with Echo where it went well."""
        if not self.several:
            return work()
        failure: BaseException | None = None
        try:
            with naming_out_of_memory():
                result = work()
        except ProcessLost:
            raise
        except BaseException as error:
            failure = error
        [worst] = self.most(0 if failure is None else exit_code_of(failure))
        if failure is not None:
            raise failure
        if worst:
            raise Echo(int(worst))
        return result

    def sum_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Sum the gradients of plain parameters over all processes, in place.

        One that is missing counts as zero, and as missing where all miss it: an optimiser leaves such a parameter be.
        """
        if not self.several:
            return
        reached = self.anywhere([parameter.grad is not None for parameter in parameters])
        for parameter, found in zip(parameters, reached, strict=True):
            if found and parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        self.sum_tensors([parameter.grad for parameter in parameters if parameter.grad is not None])

    def anywhere(self, flags: Sequence[bool]) -> list[bool]:
        """Of each flag whether it holds in any process."""
        if not self.several or not flags:
            return list(flags)
        raised = torch.tensor(flags, dtype=torch.uint8)
        dist.all_reduce(raised, dist.ReduceOp.MAX, group=self.control)
        return [bool(flag) for flag in raised.tolist()]

    def sum_tensors(self, tensors: Sequence[Tensor]) -> None:
        """Sum plain tensors over all processes, in place."""
        if not self.several:
            return
        for bucket in buckets(tensors):
            if len(bucket) == 1 and bucket[0].is_contiguous():  # it may be large: not once more
                dist.all_reduce(bucket[0])
                continue
            flat = torch.cat([tensor.flatten() for tensor in bucket])
            dist.all_reduce(flat)
            for tensor, summed in zip(bucket, torch.split(flat, [t.numel() for t in bucket]), strict=True):
                tensor.copy_(summed.view_as(tensor))

    def copy_from_first(self, tensors: Sequence[Tensor]) -> None:
        """Make plain tensors what they are in the first process, in place."""
        if self.several:
            for tensor in tensors:
                dist.broadcast(tensor.detach(), 0)


ALONE = Ranks()


def buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Neighbours of one number format, up to BUCKET_BYTES together: few messages, little memory beside."""
    bucket: list[Tensor] = []
    size = 0
    for tensor in tensors:
        if bucket and (tensor.dtype != bucket[0].dtype or size + tensor.nbytes > BUCKET_BYTES):
            yield bucket
            bucket, size = [], 0
        bucket.append(tensor)
        size += tensor.nbytes
    if bucket:
        yield bucket


@contextmanager
def joined() -> Iterator[Ranks]:
    """Join the processes that the environment speaks of, for the block; ALONE where it speaks of none.

    An error that ends the block in one process ends it in the others with the same exit code.  Raises ProcessLost where
    another is gone without a word.
    """
    place = place_here()
    if place.count == 1:
        yield ALONE
        return
    store = meeting_point(place)
    dist.init_process_group(
        "nccl" if torch.cuda.is_available() else "gloo", store=store, rank=place.number, world_size=place.count
    )
    links: list[dist.ProcessGroup] = []
    try:
        own_gpu(place)
        links.append(dist.new_group(backend="gloo", timeout=PATIENCE))
        yield Ranks(place, links, torch.get_num_threads())
    except Echo:
        _leave(store)
        raise
    except Exception as error:
        if is_lost(error):
            raise _reason(store, place) from error
        if not _may_speak(store, place, exit_code_of(error), links):
            raise Echo(exit_code_of(error)) from error
        raise
    finally:
        _part(links)


def own_gpu(place: Place) -> None:
    """Take the GPU of this process's number on this machine.  RunError where there are fewer GPUs than processes."""
    if not torch.cuda.is_available():
        return
    there = torch.cuda.device_count()
    if place.beside > there:
        raise RunError(
            f"{place.beside} processes on a machine with {there} GPU{'s' if there > 1 else ''}",
            f"start at most {there} there",
            "processes",
        )
    torch.cuda.set_device(place.local)


def is_lost(error: BaseException) -> bool:
    """Whether `error` says that another process is gone: a connection closed, or nothing came for too long."""
    if isinstance(error, ProcessLost | dist.DistError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


_SIGNS = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "gloo/transport", "Socket closed")


def exit_code_of(error: BaseException) -> int:
    """What the command line makes of it."""
    if isinstance(error, QuireError):
        return error.exit_code
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def _may_speak(store: Store, place: Place, code: int, links: list[dist.ProcessGroup]) -> bool:
    """Leave word of an error for the others, who will find their connections closed; False where one did so before."""
    own = f"{place.number}:{code}"
    try:
        said = store.compare_set(FAILED, "", own).decode()
        _part(links)
        _leave(store)
        until = time.monotonic() + FAREWELL
        while place.first and store.add(LEFT, 0) < place.count and time.monotonic() < until:
            time.sleep(0.05)
    except RuntimeError:  # the first is gone, and the store with it
        return False
    return said == own


def _part(links: list[dist.ProcessGroup]) -> None:
    """Close the connections to the others."""
    links.clear()
    if dist.is_initialized():
        with suppress(RuntimeError):
            dist.destroy_process_group()


def _leave(store: Store) -> None:
    """Let the first, which may keep the store, know that this process has read what it wanted."""
    with suppress(RuntimeError):
        store.add(LEFT, 1)


def _reason(store: Store, place: Place) -> QuireError:
    """Why another process is gone: what it said itself, or else that it said nothing."""
    with suppress(RuntimeError):
        failed = store.check([FAILED])
        code = int(store.get(FAILED).decode().split(":")[1]) if failed else 0
        _leave(store)
        if failed:
            return Echo(code)
    if place.launched:  # the launcher has seen which, and says so
        return Echo(ProcessLost.exit_code)
    return ProcessLost("another process of this run is gone, killed or cut off")
