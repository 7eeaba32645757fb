"""The GPU's bench, as far as a processor can tell: that it notices what is wrong, and goes on to the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from benchmarks.gpu import beside, checks, steps
from benchmarks.gpu.compare import Ways, compared, distance, numbers
from benchmarks.gpu.shapes import SIZES
from benchmarks.peers import results
from torch import Tensor

from benchmarks import gpu_check
from quire.model.quick import quicken
from quire.verbs.benching import rates
from quire.verbs.benching.roofline import work_of

CPU = torch.device("cpu")
TINY = SIZES["tiny"]


def outcome(trainer: str, rate: float, gigabytes: int = 1) -> results.Outcome:
    told = {"undisturbed": rate, "tokens_per_core_second": rate, "notes": {"gpu_peak_bytes": gigabytes * 10**9}}
    return results.Outcome(trainer, 1, rate, 10**9, None, told)


RAN = (("trl", 100, 1), ("unsloth", 150, 1), ("quire", 150, 1), ("unsloth-nf4", 100, 5), ("quire-nf4", 120, 4))
SUMMARY = results.summary([outcome(*one) for one in RAN])


@pytest.mark.parametrize("name", checks.CHECKS)
def test_every_path_is_right_here(name: str) -> None:
    """By what stands in a GPU's place on this processor."""
    case = checks.CHECKS[name](CPU)
    assert case["right"], case
    assert case["milliseconds"] > 0
    assert case["plain_milliseconds"] > 0


def cubed(x: Tensor) -> Tensor:
    return x * x * x


class ForgetsAThird(torch.autograd.Function):
    """Its value is right, its gradient is not."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return cubed(x)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return 2 * x * x * gradient


@pytest.mark.parametrize(
    ("path", "right"),
    [
        (cubed, True),
        (lambda x: x * (x * x), True),
        (lambda x: cubed(x) * 1.02, False),
        (lambda x: cubed(x) + 0.05, False),
        (ForgetsAThird.apply, False),
        (lambda x: torch.where(torch.arange(64) == 9, torch.nan, cubed(x)), False),
    ],
    ids=["itself", "in another order", "too large", "aside", "wrong gradient", "not a number"],
)
def test_a_path_that_is_wrong_is_noticed(path: Callable[[Tensor], Tensor], right: bool) -> None:
    assert compared(Ways(path, cubed, (numbers(CPU, 5, 64),)))["right"] is right


@pytest.mark.parametrize("name", ["attention", "norm", "gate"])
def test_a_check_asks_the_function_that_training_asks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    function = {"attention": "causal_attention", "norm": "rms_norm", "gate": "silu_times"}[name]
    inner = getattr(checks, function)
    monkeypatch.setattr(checks, function, lambda *given: inner(*given) * 1.05)
    assert not checks.CHECKS[name](CPU)["right"]


def test_steps_by_both_ways_have_the_same_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "SECONDS", 0.01)
    plain, quick = (steps.train(TINY, way, CPU) for way in ("plain", "quick"))
    assert len(plain["losses"]) == steps.WARM + steps.STEPS
    assert plain["losses"] == pytest.approx(quick["losses"], rel=2e-3)
    assert plain["losses"][-1] < plain["losses"][0]
    assert (plain["rows"], plain["window"]) == (TINY.rows, TINY.window)


def test_a_row_that_does_not_fit_is_halved_and_a_single_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def measured(_model: object, _size: object, rows: int, *_others: object) -> dict[str, object]:
        asked.append(rows)
        if rows > 1 or len(asked) > 2:
            raise torch.cuda.OutOfMemoryError
        return {"seconds": 1.0}

    monkeypatch.setattr(steps, "measured", measured)
    assert steps.train(TINY, "plain", CPU)["rows"] == 1
    with pytest.raises(torch.cuda.OutOfMemoryError):
        steps.train(TINY, "plain", CPU)
    assert asked == [2, 1, 2, 1]


def test_the_share_of_the_roofline_is_the_best_time_over_the_steps() -> None:
    rows, rate = 2, 1e9
    best = rows * work_of(TINY.base, TINY.window).total / rate
    told = steps.speed(TINY, rows, [2 * best, 2 * best, 9 * best], {"bf16": rate}, 2**30)
    assert told["roofline_fraction"] == 0.5
    assert told["tokens_per_second"] == round(rows * TINY.window / (2 * best))
    assert told["tokens_per_second_and_gib"] == told["tokens_per_second"]
    assert "peak_gib" not in steps.speed(TINY, rows, [1.0], {"bf16": rate}, 0)


def test_the_adapter_lies_on_every_matrix_of_a_layer() -> None:
    model = steps.adapted(TINY, CPU, nf4=False)
    learning = [name for name, p in model.named_parameters() if p.requires_grad]
    assert len(learning) == 2 * 7 * TINY.base.layers
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
    assert quicken(model)


def test_the_peers_are_called_for_a_gpu_and_their_summary_is_kept() -> None:
    asked: list[Sequence[str]] = []

    def run(arguments: Sequence[str]) -> int:
        asked.append(arguments)
        Path(arguments[-1]).write_text(json.dumps({"1B cuda 2048": {"window": 2048, "summary": SUMMARY}}))
        return 1

    found = beside.beside("1B", 3, None, run)
    assert list(asked[0][:-1]) == ["--device", "cuda", "--shape", "1B", "--rounds", "3", "--results"]
    assert found["trainers"] == SUMMARY
    assert found["complete"] is False
    assert [(goal["found"], goal["reached"]) for goal in found["goals"]] == [(1.5, True), (1.0, False), (1.5, True)]


def test_peers_that_cannot_train_are_a_problem_of_their_own() -> None:
    with pytest.raises(RuntimeError, match="no trainer"):
        beside.beside("1B", 1, None, lambda _arguments: 1)


def test_the_peers_know_what_they_are_called_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """By their own parser, as far as the first thing that they would do."""
    from benchmarks.peers import __main__ as peers

    class Reached(Exception):
        pass

    def reached(peer: str, _home: Path, device: str) -> Path:
        raise Reached(peer, device)

    monkeypatch.setattr(peers, "python_of", reached)
    with pytest.raises(Reached) as found:
        beside.beside("8B", 1, None)
    assert found.value.args[1] == "cuda"


def test_goals_are_those_of_which_something_was_measured() -> None:
    work = work_of(SIZES["1B"].base, 2048)
    by = {str(goal["goal"]): goal for goal in beside.goals("1B", 2048, SUMMARY, 150 / 2048 * work.total / 0.6)}
    assert by["of the roofline"]["found"] == 0.6
    assert by["of the roofline"]["reached"] is True
    assert beside.goals("1B", 2048, SUMMARY[2:3], None) == []


def test_what_goes_wrong_is_told_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(_device: torch.device) -> dict[str, object]:
        raise ValueError("no such kernel")

    monkeypatch.setattr(gpu_check, "CHECKS", {"broken": breaks, "fine": lambda _device: {"right": True}})
    monkeypatch.setattr(gpu_check, "train", lambda _size, way, _device: {"seconds": 1.0, "bf16_tflops": len(way)})
    monkeypatch.setattr(gpu_check, "beside", lambda *given: {"given": list(given)})
    out = tmp_path / "deep" / "gpu.json"
    assert gpu_check.main(["--device", "cpu", "--shapes", "1B", "--peers", "--out", str(out)]) == 1
    found = json.loads(out.read_text())
    assert found["checks"][0] == {"name": "broken", "problem": "ValueError: no such kernel"}
    assert found["checks"][1]["right"] is True
    assert [case["name"] for case in found["training"]] == ["1B plain", "1B quick"]
    assert found["beside"] == [{"name": "1B", "given": ["1B", 2, 5e12]}]
    assert len(found["kernels"]) == 3
    assert "wrong: broken" in capsys.readouterr().out


def test_without_a_gpu_the_command_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    monkeypatch.setattr(gpu_check, "CHECKS", {"norm": checks.check_norm})
    out = tmp_path / "gpu.json"
    assert gpu_check.main(["--shapes", "tiny", "--out", str(out)]) == 1
    found = json.loads(out.read_text())
    assert all("problem" in case for case in (*found["checks"], *found["training"]))


def test_errors_are_shares_of_what_is_wanted() -> None:
    assert distance(torch.tensor([3.0, 4.5]), torch.tensor([3.0, 4.0]).double()) == pytest.approx(0.1)
