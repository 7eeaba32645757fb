"""The native library: loaded once, asked what it can do here, called with tensors."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from quire.model.kernels.build import LIBRARY, source_hash

# Set to 1, everything is computed with torch alone: to compare, and where a compiler or processor is at fault.
OFF = "QUIRE_PLAIN"


@dataclass(frozen=True)
class Native:
    """The library and what this processor has for it.

    A number is handed over by its Python type: int as int64_t, float as float.
    """

    library: ctypes.CDLL
    bytes_too: bool  # instructions for whole-number products

    def call(self, name: str, *arguments: Tensor | int | float | None) -> None:
        """Call a function that returns nothing: tensors by their address, None as a null pointer."""
        self.library[name](*[_as_c(argument) for argument in arguments])

    def demand(self, name: str, *arguments: Tensor | int | float | None) -> None:
        """Call a function that returns 0, or 1 where it found no memory: MemoryError."""
        if self.library[name](*[_as_c(argument) for argument in arguments]) != 0:
            raise MemoryError(f"{name} found no memory")


@dataclass
class _Choice:
    """Whether this process computes with the library, where there is one."""

    wanted: bool = True


_choice = _Choice()


def use_native(wanted: bool) -> None:
    """Compute with the library or without it, from now on: a resumed run must round as it did before."""
    _choice.wanted = wanted


def native() -> Native | None:
    """The library where it was built, this processor has bf16 instructions, and it is wanted; otherwise None."""
    return _load()[0] if _choice.wanted else None


def why_not() -> str | None:
    """Why there is no library to compute with; None where there is one."""
    return _load()[1]


@cache
def _load() -> tuple[Native | None, str | None]:
    if os.environ.get(OFF) == "1":
        return None, f"{OFF}=1 is set"
    if not LIBRARY.exists():
        return None, "they were not built, for want of a C compiler; install one and install Quire again"
    try:
        # torch is loaded, and with it the OpenMP functions that the library takes from whoever has them.
        library = ctypes.CDLL(str(LIBRARY), mode=os.RTLD_NOW)
    except OSError as error:
        return None, f"the library cannot be loaded ({error}); install gcc, then Quire again"
    library.quire_sources.restype = ctypes.c_char_p
    if library.quire_sources() != source_hash().encode():
        return None, "the library was built from other sources; install Quire again"
    if not library.quire_has_bf16():
        return None, "this processor has no AVX512-BF16"
    return Native(library, bool(library.quire_has_vnni())), None


@cache
def has_tiles(numbers: str) -> bool:
    """Whether the processor multiplies whole tiles (AMX) of `numbers`, bf16 or int8; torch knows them, we do not."""
    return bool(torch.cpu.get_capabilities().get(f"amx_{numbers}", False))


def _as_c(argument: Tensor | int | float | None) -> object:
    if isinstance(argument, Tensor):
        assert argument.device.type == "cpu"
        assert argument.data_ptr() or not argument.numel(), "a tensor that only stands for others has no numbers"
        return ctypes.c_void_p(argument.data_ptr())
    if argument is None:
        return ctypes.c_void_p(None)
    return ctypes.c_int64(argument) if isinstance(argument, int) else ctypes.c_float(argument)


def rows_of(x: Tensor) -> Tensor:
    """`x` (…, n) as a matrix whose rows lie one behind the other; a copy only where they do not."""
    return x.reshape(-1, x.shape[-1]).contiguous()


assert torch.get_num_threads() > 0  # torch before the library, see `_load`
