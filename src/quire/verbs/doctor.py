"""`doctor`: what this machine can do, what is missing, and the command that mends it."""

from __future__ import annotations

import os
import platform
import re
import shutil
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from quire.planner.facts import MachineFacts
from quire.units import show_size

Hub = Literal["not asked", "reachable", "unreachable"]

SMALL_MEMORY = 4 * 2**30
SMALL_DISK = 2 * 2**30

# What decides how fast a processor multiplies matrices: on x86 and on ARM.
_FEATURES = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8", "asimd", "sve", "bf16", "i8mm")
_NAMED = ("torch", "transformers", "peft", "accelerate", "datasets", "tokenizers", "huggingface_hub", "numpy")
_NOT_FOR_USERS = ("all", "bench", "dev", "fuzz")


@dataclass(frozen=True)
class Problem:
    """Something amiss, and the command or the step that mends it."""

    what: str
    then: str


@dataclass(frozen=True)
class Extra:
    """An optional part of Quire; `missing` names the packages that it lacks."""

    name: str
    missing: tuple[str, ...]

    @property
    def installed(self) -> bool:
        return not self.missing


@dataclass(frozen=True)
class Checkup:
    """What `doctor` found.  `features` are processor instructions that matter to training; `confinement` says how well
    strangers' files are walled in while they are read, `kernels` with which ones Quire computes."""

    quire: str
    python: str
    system: str
    processor: str
    features: tuple[str, ...]
    machine: MachineFacts
    confinement: str
    kernels: str
    precision: str
    precision_reason: str
    versions: tuple[tuple[str, str], ...]
    extras: tuple[Extra, ...]
    embedded_base: bool
    hub: Hub
    logged_in: bool
    problems: tuple[Problem, ...]

    def to_json(self) -> dict[str, Any]:
        """As `quire doctor --json` prints it; rates in FLOP/s, sizes in bytes."""
        facts = asdict(self)
        facts["versions"] = dict(self.versions)
        facts["machine"]["rates"] = dict(self.machine.rates)
        facts["extras"] = {
            extra.name: {"installed": extra.installed, "missing": extra.missing} for extra in self.extras
        }
        return facts


def doctor(online: bool = False) -> Checkup:
    """Look this machine over.  The hub is asked only with `online`; a login is noticed, its token never read out."""
    from quire import __version__
    from quire.books.walls.confine import confinement
    from quire.model.machine import choose_precision, measure_machine

    missing = [name for name, version in _versions(_required()) if not version]
    machine = measure_machine()
    precision = choose_precision(machine, "auto")
    hub = _ask_hub() if online else "not asked"
    embedded = has_embedded_base()
    return Checkup(
        quire=__version__,
        python=platform.python_version(),
        system=platform.platform(terse=True),
        processor=_processor(),
        features=_features(),
        machine=machine,
        confinement=confinement(),
        kernels=_kernels(machine),
        precision=precision.value,
        precision_reason=precision.reason,
        versions=tuple((name, version) for name, version in _versions(_NAMED) if version),
        extras=_extras(),
        embedded_base=embedded,
        hub=hub,
        logged_in=_logged_in(),
        problems=tuple(find_problems(machine, missing, hub, embedded, graphics_card=_has_nvidia_card())),
    )


def find_problems(
    machine: MachineFacts, missing: list[str], hub: Hub, embedded: bool, graphics_card: bool
) -> list[Problem]:
    """What of these facts stands in the way of training."""
    problems = []
    if missing:
        problems.append(Problem(f"not installed: {', '.join(missing)}", "pip install --upgrade quire"))
    if not embedded:
        problems.append(Problem("the embedded base is missing", "pip install --force-reinstall --no-deps quire"))
    if graphics_card and machine.gpu is None:
        what = "there is an NVIDIA card, but this build of torch cannot use it"
        problems.append(Problem(what, "install a CUDA build of torch, and the card's driver"))
    if machine.memory_free_bytes < SMALL_MEMORY:
        what = f"only {show_size(machine.memory_free_bytes)} of memory are free"
        problems.append(Problem(what, "close other programs, or train the embedded base"))
    if machine.disk_free_bytes < SMALL_DISK:
        what = f"only {show_size(machine.disk_free_bytes)} of disk are free here"
        problems.append(Problem(what, "remove runs that you no longer need, or give --run a folder on another disk"))
    if not os.access(Path.cwd(), os.W_OK):
        problems.append(
            Problem("this folder cannot be written to, so no run can start in it", "cd to a folder of yours")
        )
    if hub == "unreachable":
        what = "the hub cannot be reached"
        problems.append(Problem(what, "--base embedded, or --base FOLDER with a model that you have"))
    return problems


def _kernels(machine: MachineFacts) -> str:
    """With which kernels of its own Quire computes here."""
    from quire.model.kernels.gpu import kernels_on_gpu
    from quire.model.kernels.native import why_not

    if machine.gpu is not None:
        return "; ".join(kernels_on_gpu())
    why = why_not()
    return "compiled" if why is None else f"torch's own: {why}"


def has_embedded_base() -> bool:
    """Whether the base that ships inside Quire is where it should be."""
    from quire.errors import BaseModelError
    from quire.planner.bases import find_base
    from quire.recipe.bases import EMBEDDED

    try:
        find_base(EMBEDDED)
    except BaseModelError:
        return False
    return True


def _required() -> list[str]:
    """Quire's core dependencies, by name."""
    lines = metadata.requires("quire") or []
    return [_name(line) for line in lines if "extra ==" not in line]


def _extras() -> tuple[Extra, ...]:
    packages: dict[str, list[str]] = {}
    for line in metadata.requires("quire") or []:
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", line)
        if extra and extra[1] not in _NOT_FOR_USERS:
            packages.setdefault(extra[1], []).append(_name(line))
    return tuple(
        Extra(name, tuple(package for package, version in _versions(needed) if not version))
        for name, needed in packages.items()
    )


def _name(requirement: str) -> str:
    """`"torch>=2.11"` → `"torch"`."""
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0]


def _versions(names: list[str] | tuple[str, ...]) -> list[tuple[str, str]]:
    """Each name with its installed version; empty where it is not installed."""
    found = []
    for name in names:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            found.append((name, ""))
    return found


def _processor() -> str:
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _features() -> tuple[str, ...]:
    flags = set((_cpuinfo("flags") or _cpuinfo("Features")).split())
    return tuple(name for name in _FEATURES if name in flags)


def _cpuinfo(key: str) -> str:
    """The first value of a key in Linux's list of processors; empty elsewhere."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    line = re.search(rf"^{re.escape(key)}\s*:\s*(.*)$", text, re.MULTILINE)
    return line[1].strip() if line else ""


def _has_nvidia_card() -> bool:
    return Path("/proc/driver/nvidia/gpus").is_dir() or shutil.which("nvidia-smi") is not None


def _logged_in() -> bool:
    from huggingface_hub import get_token

    return get_token() is not None


def _ask_hub() -> Hub:
    """One request without a token to the hub that the client is set to; any answer will do, a refusal too."""
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    from huggingface_hub import constants

    try:
        with urlopen(Request(constants.ENDPOINT, method="HEAD"), timeout=10):  # noqa: S310
            return "reachable"
    except HTTPError:
        return "reachable"
    except (OSError, ValueError):
        return "unreachable"
