"""What the planner is told: it measures nothing itself, so that a plan needs neither torch nor a tokenizer."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class TextFacts:
    """Counts of one stage's text, in tokens of its base.  `counted` is False where they are estimated from bytes;
    `leaks` says, a line each, what stands in training text and in held-out text.  `read_per_epoch` are the tokens that
    the model computes, learned or not (empty: those that are learned); `conversations` counts those trained on.
    """

    words: int
    tokens_train: int
    tokens_validation: int
    tokens_test: int
    rows_per_epoch: tuple[int, ...]  # one number per part
    tokens_per_epoch: tuple[int, ...]  # trained tokens per part
    counted: bool = True
    leaks: tuple[str, ...] = ()
    read_per_epoch: tuple[int, ...] = ()
    conversations: int = 0
    works: int = 0

    @property
    def computed_per_epoch(self) -> tuple[int, ...]:
        """Tokens that an epoch of each part computes."""
        return self.read_per_epoch or self.tokens_per_epoch


@dataclass(frozen=True)
class MachineFacts:
    """What this machine can do.  Rates are matmul rates in FLOP/s, measured; absent where not measured."""

    cores: int
    memory_bytes: int
    memory_free_bytes: int
    disk_free_bytes: int
    rates: tuple[tuple[str, float], ...] = ()  # ("fp32", 1.7e11), ("bf16", 4.1e11)
    native: tuple[str, ...] = ()  # precisions that the processor computes itself
    gpu: str | None = None
    gpu_memory_bytes: int | None = None
    gpus: int = 0
    kernels: bool = False  # Quire's compiled kernels can be used

    @property
    def device(self) -> str:
        """Where training computes: `cuda` or `cpu`."""
        return "cpu" if self.gpu is None else "cuda"

    @property
    def room(self) -> int:
        """Bytes that a training may fill: the GPU's memory where there is one, else what is free."""
        return self.gpu_memory_bytes or self.memory_free_bytes

    def shared(self, processes: int) -> MachineFacts:
        """What each of so many processes has of it: a GPU of its own, or its share of the memory."""
        if self.device != "cpu":
            return self
        free, memory = self.memory_free_bytes // processes, self.memory_bytes // processes
        return replace(self, memory_free_bytes=free, memory_bytes=memory)

    def rate(self, precision: str) -> float | None:
        """FLOP/s of a matmul in `precision`, or None where it was not measured."""
        return dict(self.rates).get(precision)
