from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.distributed.tensor import DTensor

from quire.training.together.shards import SlicedTensors, fill, own_slice, rows_of_process, save_slices


def tensors() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(3)
    shapes = {"matrix": (7, 3), "one row": (1, 4), "bias": (5,), "step": (), "nothing": (0, 3)}
    drawn = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    return drawn | {"half": torch.randn(6, 2, generator=generator).bfloat16(), "counts": torch.arange(9)}


def written(folder: Path, count: int, which: dict[str, Tensor] | None = None) -> list[Path]:
    files = [folder / f"t-{number}-of-{count}.safetensors" for number in range(count)]
    for number, file in enumerate(files):
        save_slices(file, tensors() if which is None else which, number, count)
    return files


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8, 9])
def test_what_any_number_of_processes_wrote_is_read_as_a_whole(tmp_path: Path, count: int) -> None:
    read = SlicedTensors(written(tmp_path, count))
    assert set(read) == set(tensors())
    for name, tensor in tensors().items():
        assert read[name].dtype == tensor.dtype
        assert read[name].shape == tensor.shape
        assert torch.equal(read[name], tensor)


def test_a_single_process_writes_plain_safetensors(tmp_path: Path) -> None:
    [file] = written(tmp_path, 1)
    assert torch.equal(load_file(file)["matrix"], tensors()["matrix"])


def test_no_value_is_written_twice(tmp_path: Path) -> None:
    files = written(tmp_path, 3)
    held = sum(tensor.numel() for file in files for tensor in load_file(file).values())
    assert held == sum(tensor.numel() for tensor in tensors().values())


@given(rows=st.integers(0, 40), count=st.integers(1, 12))
def test_shares_are_those_of_torch_chunk(rows: int, count: int) -> None:
    pieces = [piece.tolist() for piece in torch.arange(rows).chunk(count)] if rows else []
    own = [list(range(*rows_of_process(rows, number, count))) for number in range(count)]
    assert own == pieces + [[]] * (count - len(pieces)) if rows else own == [[]] * count


@given(wrote=st.integers(1, 6), reads=st.integers(1, 6))
@settings(max_examples=15)
def test_another_number_of_processes_reads_just_its_rows(
    tmp_path_factory: pytest.TempPathFactory, wrote: int, reads: int
) -> None:
    read = SlicedTensors(written(tmp_path_factory.mktemp("slices"), wrote))
    for name in ("matrix", "one row", "counts"):
        whole = tensors()[name]
        for number in range(reads):
            first, end = rows_of_process(len(whole), number, reads)
            assert torch.equal(read.rows(name, first, end), whole[first:end])


def test_a_gap_an_overlap_and_a_contradiction_are_found(tmp_path: Path) -> None:
    files = written(tmp_path, 3)
    with pytest.raises(ValueError, match="do not make a whole"):
        SlicedTensors(files[:2])
    with pytest.raises(ValueError, match="do not make a whole"):
        SlicedTensors([*files, files[0]])
    other = written(tmp_path, 2, {"matrix": torch.zeros(6, 3)})
    with pytest.raises(ValueError, match="different shapes"):
        SlicedTensors([files[0], other[1]])


def test_a_tensor_is_filled_only_by_one_of_its_own_shape(tmp_path: Path) -> None:
    read = SlicedTensors(written(tmp_path, 2))
    target = torch.zeros(7, 3)
    fill(target, read, "matrix")
    assert torch.equal(target, tensors()["matrix"])
    with pytest.raises(ValueError, match="should be"):
        fill(torch.zeros(3, 7), read, "matrix")
    fill(target, {"matrix": torch.ones(7, 3)}, "matrix")
    assert bool((target == 1).all())


def test_two_names_of_one_storage_are_written(tmp_path: Path) -> None:
    matrix = torch.arange(6.0).reshape(3, 2)
    read = SlicedTensors(written(tmp_path, 2, {"one": matrix, "other": matrix}))
    assert torch.equal(read["other"], matrix)


def test_a_file_of_whole_tensors_counts_as_one_slice(tmp_path: Path) -> None:
    save_file({"matrix": torch.ones(2, 2)}, tmp_path / "plain.safetensors")
    assert torch.equal(SlicedTensors([tmp_path / "plain.safetensors"])["matrix"], torch.ones(2, 2))


def test_a_number_belongs_to_the_first_process_and_an_empty_share_is_none() -> None:
    assert own_slice(torch.tensor(3.0), 1, 2) is None
    assert own_slice(torch.ones(1, 4), 1, 2) is None
    own = own_slice(torch.tensor(3.0), 0, 2)
    assert own is not None
    assert own.shape == ()


def test_a_distributed_tensor_gives_and_takes_the_rows_it_holds(tmp_path: Path) -> None:
    """A mesh of one process; two and four are in test_together.py."""
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard, distribute_tensor

    store = dist.HashStore()
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        spread = distribute_tensor(torch.zeros(7, 3), init_device_mesh("cpu", (1,)), [Shard(0)])
        assert isinstance(spread, DTensor)
        fill(spread, SlicedTensors(written(tmp_path, 3)), "matrix")
        assert torch.equal(spread.full_tensor(), tensors()["matrix"])
    finally:
        dist.destroy_process_group()
