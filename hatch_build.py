"""Compiles the native kernels when Quire is installed; an install without a compiler goes through without them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

KERNELS = Path("src/quire/model/kernels")


class KernelsHook(BuildHookInterface):  # type: ignore[type-arg]
    """`initialize` runs before a wheel is put together, an editable one too."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the library; in a wheel it makes that wheel one for this platform alone."""
        builder = _load(Path(self.root) / KERNELS / "build.py")
        problem = builder.build()
        if problem is not None:
            self.app.display_warning(f"Quire is installed without its native kernels ({problem}): training is slower.")
            return
        if version == "editable":
            return  # it is found where it was built
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{_platform()}"
        build_data["force_include"][str(builder.LIBRARY)] = f"quire/model/kernels/{builder.LIBRARY.name}"


def _platform() -> str:
    from packaging.tags import platform_tags

    return next(iter(platform_tags()))


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("quire_kernels_build", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
