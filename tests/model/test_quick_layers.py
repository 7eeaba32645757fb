"""What our own layers do themselves, what they leave to others, and that a run's losses stay what they were."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from peft import LoraConfig
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedConfig, Qwen2Config, Qwen3Config

from packedrow import SHAPE as SMALL
from packedrow import WORDS, WORKS, answers, furthest, row
from quire.model.adapters import attach
from quire.model.kernels.native import native, use_native
from quire.model.lowbit import to_int8
from quire.model.quick import as_before, quicken
from quire.model.quick_layers import Layer, Places, works_in
from quire.recipe.method import Lora
from quire.recipe.schema import TrainSettings
from quire.training.compute import Batch, summed_loss
from quire.training.learner import learning_form
from quire.training.optimizers.optimizer import make_optimizer
from quire.training.relief import compute_activations_twice

SHAPE = {**SMALL, "num_hidden_layers": 3, "head_dim": 16}
CONFIGS: dict[str, PreTrainedConfig] = {
    "llama": LlamaConfig(**SHAPE),
    "llama with biases": LlamaConfig(**SHAPE, attention_bias=True, mlp_bias=True),
    "qwen2": Qwen2Config(**SHAPE),
    "qwen3": Qwen3Config(**SHAPE),
}

needs_kernels = pytest.mark.skipif(native() is None, reason="no native library for this processor")


def learner(name: str = "llama", dropout: float = 0.0, int8: bool = False) -> nn.Module:
    """Under an adapter that does something."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(3)
        base = AutoModelForCausalLM.from_config(CONFIGS[name], dtype=torch.bfloat16)
        if int8:
            to_int8(base)
        model = attach(base, Lora(rank=4, alpha=8, dropout=dropout, targets="all-linear"), 1)
        for key, parameter in model.named_parameters():
            if "lora_B" in key:
                parameter.normal_(std=0.05)
    quicken(model)
    return model.train()


def wholes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Filled with the number of tokens of each layer that is computed as a whole from now on."""
    from quire.model import quick_layers

    found: list[int] = []
    inner = quick_layers.decoder_layer

    def counted(x: Tensor, *others: object) -> Tensor:
        found.append(x.shape[1])
        return inner(x, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(quick_layers, "decoder_layer", counted)
    return found


def watched(model: nn.Module) -> nn.Module:
    """Somebody waits for every gate, so that each layer goes through its parts."""
    for module in model.modules():
        if isinstance(module, Layer):
            module.mlp.register_forward_hook(lambda *_: None)
    return model


@needs_kernels
@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize(("dropout", "int8"), [(0.0, False), (0.3, False), (0.3, True)])
def test_as_a_whole_a_layer_is_what_its_parts_are(
    name: str, dropout: float, int8: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same elements drop too: seeds are drawn in the same order."""
    found = wholes(monkeypatch)
    whole = answers(learner(name, dropout, int8))
    assert len(found) == 3
    in_parts = answers(watched(learner(name, dropout, int8)))
    assert len(found) == 3
    assert furthest(whole, in_parts) < (0.05 if int8 else 0.03)


def learns_norms(model: nn.Module) -> None:
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(parameter.requires_grad or "layernorm" in name)


def learns_itself(model: nn.Module) -> None:
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(parameter.requires_grad or "o_proj.base_layer" in name)


@needs_kernels
@pytest.mark.parametrize("change", [learns_norms, learns_itself, nn.Module.float, as_before])
def test_what_the_kernels_cannot_compute_goes_through_its_parts(
    change: Callable[[nn.Module], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = wholes(monkeypatch)
    model = learner()
    change(model)
    learning = {key for key, parameter in model.named_parameters() if parameter.requires_grad}
    gradients = answers(model).keys() - {"logits"}
    assert not found
    assert gradients == learning


@needs_kernels
@pytest.mark.parametrize("positions_of", ["all rows", "each row"])
def test_several_rows_at_once_are_what_their_parts_are(positions_of: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = wholes(monkeypatch)
    ids = torch.randint(300, (3, 50), generator=torch.Generator().manual_seed(8))
    positions = torch.arange(50)[None] if positions_of == "all rows" else torch.arange(50).expand(3, 50)
    logits = [
        model(input_ids=ids, position_ids=positions, use_cache=False).logits
        for model in (learner(), watched(learner()))
    ]
    assert len(found) == 3
    assert furthest({"": logits[0]}, {"": logits[1]}) < 0.03


@needs_kernels
def test_activations_computed_twice_give_the_same_bits_with_dropout(monkeypatch: pytest.MonkeyPatch) -> None:
    found = wholes(monkeypatch)
    once = answers(learner(dropout=0.3))
    model = learner(dropout=0.3)
    compute_activations_twice(model.get_base_model())  # type: ignore[operator]
    twice = answers(model)
    assert len(found) == 3 + 6
    assert all(torch.equal(once[key], twice[key]) for key in once)


@needs_kernels
def test_two_adapters_at_once_are_what_their_parts_are(monkeypatch: pytest.MonkeyPatch) -> None:
    found = wholes(monkeypatch)

    def two() -> nn.Module:
        model = learner()
        torch.manual_seed(9)
        model.add_adapter("other", LoraConfig(r=2, target_modules=["v_proj"], init_lora_weights=False))  # type: ignore[operator]
        model.base_model.set_adapter(["default", "other"])  # type: ignore[operator,union-attr]
        quicken(model)
        return model

    whole, in_parts = answers(two()), answers(watched(two()))
    assert len(found) == 3
    assert any("other" in key for key in whole)
    assert furthest(whole, in_parts) < 0.03


@needs_kernels
def test_once_asked_for_its_states_a_model_computes_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers hangs hooks on layers and attention then, and leaves them there."""
    found = wholes(monkeypatch)
    model, (ids, positions) = learner(), row()
    before = answers(model)
    asked = model(input_ids=ids, position_ids=positions, use_cache=False, output_hidden_states=True)
    assert len(asked.hidden_states) == 4
    after = answers(model)
    assert len(found) == 9
    assert all(torch.equal(before[key], after[key]) for key in before)


@needs_kernels
def test_who_computes_in_a_layers_place_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    found = wholes(monkeypatch)
    model, asked = learner(), []
    mlp = next(module.mlp for module in model.modules() if isinstance(module, Layer))
    inner = mlp.forward
    mlp.forward = lambda x: asked.append(1) or inner(x)
    answers(model)
    assert len(asked) == 1
    assert len(found) == 2


@needs_kernels
def test_without_gradients_and_without_adapters_a_layer_is_a_whole_too(monkeypatch: pytest.MonkeyPatch) -> None:
    found = wholes(monkeypatch)
    model, (ids, positions) = learner(), row()

    def read() -> Tensor:
        with torch.no_grad():
            return model(input_ids=ids, position_ids=positions, use_cache=False).logits

    voice = read()
    with model.disable_adapter():  # type: ignore[operator]
        base = read()
    model.merge_adapter()  # type: ignore[operator]
    merged = read()
    assert len(found) == 9
    assert furthest({"": merged}, {"": voice}) < 0.02
    assert furthest({"": base}, {"": voice}) > 0.1


@needs_kernels
def test_with_a_cache_or_padding_it_is_transformers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    found = wholes(monkeypatch)
    model, (ids, _) = learner().eval(), row()
    with torch.no_grad():
        model(input_ids=ids, use_cache=True)
        mask = torch.ones_like(ids)
        mask[:, :5] = 0
        model(input_ids=ids, attention_mask=mask, use_cache=False)
    assert not found


def test_where_works_begin_is_asked_once_for_all_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    from quire.model import quick_layers

    asked: list[Tensor] = []

    def asking(positions: Tensor, rows: int) -> list[int]:
        asked.append(positions)
        return works_in(positions, rows)

    monkeypatch.setattr(quick_layers, "works_in", asking)
    answers(learner())
    assert len(asked) == 1


def test_places_are_the_pair_that_transformers_knows_and_more() -> None:
    cos, sin = Places((torch.zeros(2, 3, 4), torch.ones(2, 3, 4)))
    assert cos.shape == sin.shape == (2, 3, 4)
    assert Places((cos, sin)).turns.sin.shape == (6, 4)


def test_works_are_found_by_their_positions() -> None:
    assert works_in(row()[1], 1) == [0, 40, 41, 71, 96]
    assert works_in(torch.arange(6)[None], 3) == [0, 6, 12, 18]
    assert works_in(torch.tensor([[0, 1, 2, 3], [0, 1, 0, 1]]), 2) == [0, 4, 6, 8]


# ---- no result may change ----


def run_of(way: str, precision: str, targets: str | list[str], steps: int = 12) -> list[float]:
    """The losses of a short run over one row: by transformers' own layers and logits, with torch alone, or natively."""
    use_native(way == "natively")
    torch.manual_seed(7)
    numbers = torch.float32 if precision == "fp32" else torch.bfloat16
    base = AutoModelForCausalLM.from_config(LlamaConfig(**SHAPE, initializer_range=0.15)).to(numbers)
    if precision == "int8":
        to_int8(base)
    method = {"qlora" if precision == "int8" else "lora": {"rank": 4, "alpha": 8, "dropout": 0.0, "targets": targets}}
    settings = TrainSettings.model_validate({"method": method, "window": sum(WORKS), "learning_rate": 0.01})
    model, computation = learning_form(base, settings, precision, "cpu", 1)  # type: ignore[arg-type]
    if way == "by transformers":
        as_before(model)
    optimizer = make_optimizer(model, settings)
    losses = []
    for step in range(steps):
        ids = torch.randint(WORDS, (1, sum(WORKS)), generator=torch.Generator().manual_seed(step % 3))
        batch = Batch(ids, row()[1], ids.roll(-1, 1), WORKS)
        if way == "by transformers":
            mask = torch.block_diag(*(torch.ones(n, n) for n in WORKS)).tril().bool()[None, None]
            logits = model(input_ids=ids, position_ids=batch.positions, attention_mask=mask, use_cache=False).logits
            loss = nn.functional.cross_entropy(logits[0].float(), batch.targets[0], reduction="sum")
        else:
            loss = summed_loss(model, batch, computation)  # type: ignore[arg-type]
        loss.div(ids.numel()).backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item() / ids.numel())
    return losses


def apart(found: list[float], wanted: list[float]) -> float:
    return max(abs(a - b) for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize("targets", ["all-linear", ["q_proj", "v_proj"]], ids=["everywhere", "queries and values"])
def test_the_losses_of_a_run_are_those_of_transformers_layers(targets: str | list[str]) -> None:
    exact = run_of("by transformers", "fp32", targets)
    assert exact[-1] < exact[0] - 0.5, "it learns"
    assert apart(run_of("with torch alone", "fp32", targets), exact) < 1e-4
    for precision in ("bf16", "int8"):
        before = apart(run_of("by transformers", precision, targets), exact)
        for way in ("with torch alone", "natively"):
            assert apart(run_of(way, precision, targets), exact) < 2 * before + 0.01, (way, precision)
