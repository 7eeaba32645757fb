"""A case does what training and writing do, and says beforehand what cannot be done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from quire.errors import OutOfMemory, RecipeError
from quire.verbs.benching import course
from quire.verbs.benching.course import MOST_STEPS, formats_of, settings_of, train_case, write_case
from quire.verbs.benching.shapes import SHAPES

TINY = {**SHAPES["7M"].config, "num_hidden_layers": 1, "vocab_size": 512}
IDS = [n * 7 % 500 for n in range(200)]


@pytest.fixture(autouse=True)
def same_threads() -> Iterator[None]:
    """A case chooses its number of threads; the other tests have their own."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_steps_are_made_and_measured(precision: str) -> None:
    found = train_case(TINY, precision, 32, IDS, seconds=60.0)
    assert found.steps == MOST_STEPS
    assert len(found.losses) == MOST_STEPS + 1
    assert found.losses[0] == pytest.approx(6.24, abs=0.5)  # the logarithm of 512 words
    assert 0 < found.fraction < 1
    assert found.tokens_per_second == pytest.approx(32 / found.seconds)
    assert found.peak_bytes > found.weights_bytes > 0


def test_one_step_after_the_first_is_made_however_short_the_time() -> None:
    assert train_case(TINY, "fp32", 32, IDS, seconds=0.0).steps == 1


def test_losses_begin_alike_in_every_precision() -> None:
    plain, rounded = (train_case(TINY, precision, 32, IDS, seconds=0.0).losses for precision in ("fp32", "int8"))
    assert plain[0] == pytest.approx(rounded[0], abs=0.02)
    assert plain[0] != rounded[0]


def test_a_book_shorter_than_the_window_is_refused() -> None:
    with pytest.raises(RecipeError, match="the book has only 200 tokens"):
        train_case(TINY, "fp32", 256, IDS, seconds=0.0)


def test_what_cannot_fit_is_told_and_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "memory_limit", lambda _device: 2**20)
    monkeypatch.setattr(course, "random_model", lambda *_: pytest.fail("it was tried"))
    with pytest.raises(OutOfMemory, match=r"it would take .* of memory, and 1\.0 MiB are free"):
        train_case(TINY, "fp32", 32, IDS, seconds=0.0)
    with pytest.raises(OutOfMemory):
        write_case(SHAPES["7M"].config, "fp32", 1, 4)


def test_the_adapter_is_that_of_the_goals() -> None:
    settings = settings_of("int8", 512)
    lora = settings.method.adapter
    assert lora is not None
    assert (lora.rank, lora.targets, lora.dropout) == (8, ["q_proj", "v_proj"], 0.0)
    assert (settings.batch, settings.accumulate, settings.window, settings.clip) == (1, 1, 512, 1.0)


def test_what_is_computed_in_which_format(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "lasting_dtype", lambda _device: torch.bfloat16)
    monkeypatch.setattr(course, "multiplies_bytes", lambda device: device == "cpu")
    assert formats_of("fp32", "cpu") == ("fp32", "fp32")
    assert formats_of("int8", "cpu") == ("int8", "bf16")
    assert formats_of("int8", "cuda") == ("bf16", "bf16")
    assert formats_of("nf4", "cuda") == ("bf16", "bf16")


def test_writing_is_measured() -> None:
    found = write_case(SHAPES["7M"].config, "fp32", 2, 3)
    assert found.tokens == 3
    assert found.tokens_per_second > 0
