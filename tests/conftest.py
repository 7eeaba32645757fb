"""Fixtures that every room's tests share."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from crew import Crew

ROOT = Path(__file__).parents[1]

# No test may reach a hub, and none may depend on what the person who runs it has downloaded or logged in to.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
for variable in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT"):
    os.environ.pop(variable, None)

# The same examples in every run, and none fails because the machine is busy or a folder is used twice.
settings.register_profile(
    "quire",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("quire")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What collecting tests makes, and the libraries' modules, are never garbage: no time goes into looking at them.

    Training collects garbage often; without this it would walk through thousands of tests and all of torch each time.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def own_hub_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An empty cache of hub files, the same for this process and for those that it starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hf")))
        yield


@pytest.fixture(autouse=True)
def own_kernels() -> Iterator[None]:
    """A run that was opened decides with which kernels this process computes: until its test ends."""
    yield
    if (native := sys.modules.get("quire.model.kernels.native")) is not None:
        native.use_native(wanted=True)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The books, poems and broken files beside the checkout; tests that need them are skipped where they are absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("shared/data does not lie beside this checkout")
    return folder


@pytest.fixture(scope="session")
def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level tokenizer of 384 tokens that gives back every text exactly; `<|end|>` ends a work."""
    from tiny import build_tokenizer

    return build_tokenizer()


@pytest.fixture
def tiny_model(tiny_tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    """A Llama of random weights, two layers deep, always the same one; new for every test, so it may be changed."""
    from tiny import build_model

    return build_model("llama", tiny_tokenizer)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a base as transformers saves one: the tiny Llama and its tokenizer.  Not to be changed."""
    from tiny import save_base

    return save_base(tmp_path_factory.mktemp("bases") / "llama", "llama")


@pytest.fixture(scope="session")
def crew_of() -> Iterator[Callable[[int], Crew]]:
    """Crews of one, two or four processes, each started when it is first wanted and used again."""
    from crew import Crew

    crews: dict[int, Crew] = {}
    yield lambda count: crews[count] if count in crews else crews.setdefault(count, Crew(count))
    for crew in crews.values():
        crew.close()


@pytest.fixture(scope="session")
def tiny_bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Such a folder for every family: llama, mistral, qwen, gemma, gpt2, gpt-neo, gpt-neox."""
    from tiny import FAMILIES, save_base

    home = tmp_path_factory.mktemp("families")
    return {family: save_base(home / family, family) for family in FAMILIES}
