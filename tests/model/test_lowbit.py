from __future__ import annotations

import weakref
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from quire.errors import RecipeError
from quire.model import lowbit
from quire.model.adapters import attach, load_voice, merge, save_adapter
from quire.model.base import count_parameters, load_base, load_model
from quire.model.lowbit import (
    Int8Embedding,
    Int8Head,
    Int8Linear,
    dequantise,
    lasting_dtype,
    quantise_rows,
    to_int8,
    to_nf4,
)
from quire.model.mode import evaluating
from quire.model.quick import quicken
from quire.planner.bases import find_base
from quire.recipe.method import Lora
from tiny import FAMILIES
from toy import random_ids

IDS = random_ids(40)
needs_nf4 = pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed")


def numbers(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def rounded(x: Tensor) -> tuple[Tensor, Tensor]:
    """The definition in float64: whole numbers from -127 to 127, and what one of them is worth, row by row."""
    x = x.double()
    worth = x.abs().amax(1, keepdim=True) / 127
    return (x / worth).round(), worth


def logits(model: nn.Module) -> Tensor:
    with torch.no_grad():
        return model.eval()(input_ids=IDS, use_cache=False).logits.float()


@pytest.mark.parametrize("shape", [(7, 33, 21), (1, 64, 64), (40, 96, 17)])
def test_the_product_is_that_of_whole_numbers_exactly(shape: tuple[int, int, int]) -> None:
    tokens, inputs, outputs = shape
    weight, x = numbers(outputs, inputs, seed=1), numbers(tokens, inputs, seed=2)
    (xs, x_worth), (ws, w_worth) = rounded(x), rounded(weight)
    expected = (xs @ ws.t()) * x_worth * w_worth.t()
    layer = Int8Linear(weight, None)
    torch.testing.assert_close(layer(x).double(), expected, rtol=1e-6, atol=1e-6)
    assert torch.equal(layer.codes.double(), ws)


def test_the_gradient_is_that_of_whole_numbers_exactly() -> None:
    """Outputs' scales go into the gradient before it is rounded: they lie along the sum."""
    weight, gradient = numbers(21, 33, seed=1), numbers(7, 21, seed=3)
    ws, w_worth = rounded(weight)
    gs, g_worth = rounded(gradient.double() * w_worth.t())
    x = numbers(7, 33, seed=2).requires_grad_()
    Int8Linear(weight, None)(x).backward(gradient)
    torch.testing.assert_close(x.grad.double(), gs @ ws * g_worth, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bytes_multiplied", [True, False])
def test_both_ways_are_near_the_product_in_full(
    bytes_multiplied: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root mean square: 8 bits of a normal number are wrong by about half a percent, two of them by one at most."""
    monkeypatch.setattr(lowbit, "multiplies_bytes", lambda device: bytes_multiplied)
    weight, bias = numbers(96, 256, seed=1, dtype=dtype), nn.Parameter(numbers(96, seed=4, dtype=dtype))
    plain, low = nn.Linear(256, 96), Int8Linear(weight, nn.Parameter(bias.detach().clone()))
    plain.load_state_dict({"weight": weight, "bias": bias})
    gradient = numbers(2, 5, 96, seed=3, dtype=dtype)
    found = []
    for layer, kind in ((plain, torch.float32), (low, dtype)):
        x = numbers(2, 5, 256, seed=2, dtype=dtype).to(kind).requires_grad_()
        y = layer(x)
        y.backward(gradient.to(kind))
        assert y.dtype == x.grad.dtype == kind
        found.append((y.detach(), x.grad, layer.bias.grad))
    for exact, near in zip(*found, strict=True):
        assert near.shape == exact.shape
        assert float((near.float() - exact).pow(2).mean().sqrt() / exact.std()) < 0.012


def test_weights_are_wrong_by_half_a_step_at_most() -> None:
    weight = numbers(30, 50)
    low = Int8Linear(weight, None)
    assert bool(((low.weight - weight).abs() <= low.scale[:, None] * 0.5001).all())
    assert low.weight.dtype == weight.dtype
    assert Int8Linear(weight.bfloat16(), None).weight.dtype == torch.bfloat16


def test_zeros_stay_zeros_and_what_is_not_finite_shows() -> None:
    layer = Int8Linear(numbers(4, 8), None)
    x = numbers(4, 8, seed=1)
    x[0], x[1, 3], x[2, 5] = 0.0, float("nan"), float("inf")
    y = layer(x)
    assert torch.equal(y[0], torch.zeros(4))
    assert not torch.isfinite(y[1]).any()
    assert not torch.isfinite(y[2]).any()
    assert torch.isfinite(y[3]).all()


def test_a_token_is_computed_alike_whatever_stands_beside_it() -> None:
    layer, x = Int8Linear(numbers(16, 32), None), numbers(9, 32, seed=1)
    assert torch.equal(layer(x)[4:5], layer(x[4:5]))


def test_nothing_but_the_codes_is_kept_for_the_way_back() -> None:
    layer, kept = Int8Linear(numbers(16, 32), None), []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.data_ptr()) or t, lambda t: t):
        layer(numbers(9, 32, seed=1).requires_grad_())
    assert set(kept) == {layer.codes.data_ptr(), layer.scale.data_ptr()}


def test_codes_and_scales_give_the_numbers_back() -> None:
    codes, scale = quantise_rows(torch.tensor([[127.0, -3.0, 0.4], [0.5, -0.25, 0.0]]))
    assert codes.tolist() == [[127, -3, 0], [127, -64, 0]]
    torch.testing.assert_close(scale[:, 0], torch.tensor([1.0, 0.5 / 127]))
    torch.testing.assert_close(dequantise(codes, scale[:, 0], torch.float32)[0], torch.tensor([127.0, -3.0, 0.0]))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_matrix_is_changed(family: str, tiny_bases: dict[str, Path]) -> None:
    """But for Gemma's embeddings, which multiply what they find, and its head, which is the same matrix."""
    model, plain = load_model(tiny_bases[family], "fp32"), load_model(tiny_bases[family], "fp32")
    words, head = model.get_input_embeddings(), model.get_output_embeddings()
    before = count_parameters(model)[1]
    to_int8(model)
    left = [m for m in model.modules() if isinstance(m, nn.Linear | Conv1D) and not isinstance(m, Int8Linear)]
    if family == "gemma":
        assert left == [head]
        assert head.weight is model.get_input_embeddings().weight is words.weight
    else:
        assert left == []
        assert type(model.get_input_embeddings()) is Int8Embedding
        assert type(model.get_output_embeddings()) is Int8Head
    layers = sum(1 for m in plain.modules() if isinstance(m, nn.Linear | Conv1D)) - 1
    assert sum(type(m) is Int8Linear for m in model.modules()) == layers
    assert count_parameters(model)[1] == before
    difference = logits(model) - logits(plain)
    assert float(difference.pow(2).mean().sqrt() / logits(plain).std()) < 0.05


def test_embeddings_are_the_words_codes_times_what_they_are_worth() -> None:
    weight = numbers(50, 32).bfloat16()
    table = Int8Embedding(weight)
    ids = torch.tensor([[3, 3, 49], [0, 7, 21]])
    found = table(ids)
    assert (found.shape, found.dtype) == ((2, 3, 32), torch.bfloat16)
    assert torch.equal(found, table.weight[ids])
    assert float((found.float() - weight[ids].float()).abs().max()) <= float(table.scale.max()) * 0.51 + 2**-8


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_heads_input_is_not_rounded(dtype: torch.dtype) -> None:
    """Both ways the product is that of float64 with the weights that the codes stand for."""
    head = Int8Head(numbers(130, 64, seed=1, dtype=dtype), nn.Parameter(numbers(130, seed=4, dtype=dtype)))
    x, gradient = numbers(2, 9, 64, seed=2, dtype=dtype).requires_grad_(), numbers(2, 9, 130, seed=3, dtype=dtype)
    found = head(x)
    found.backward(gradient)
    exact = x.detach().double() @ head.weight.double().t() + head.bias.double()
    back = gradient.double() @ head.weight.double()
    worst = {"rtol": 2**-7, "atol": 2**-6} if dtype == torch.bfloat16 else {"rtol": 1e-5, "atol": 1e-4}
    torch.testing.assert_close(found.detach().double(), exact, **worst)
    torch.testing.assert_close(x.grad.double(), back, **worst)
    assert found.dtype == x.grad.dtype == dtype


def test_what_unlikely_words_say_is_not_lost_on_the_way_back() -> None:
    """Beside the target's gradient of nearly 1 theirs are a thousandth: together they are a half of it here."""
    head, layer = (kind(numbers(501, 64, seed=1).abs(), None) for kind in (Int8Head, Int8Linear))
    gradient = torch.full((1, 501), 0.001)
    gradient[0, 0] = -1.0
    exact = gradient.double() @ head.weight.double()
    lost = []
    for each in (head, layer):
        x = torch.zeros(1, 64, requires_grad=True)
        each(x).backward(gradient)
        lost.append(float((x.grad - exact).norm() / exact.norm()))
    assert lost[0] < 1e-5
    assert lost[1] > 0.2


def test_embeddings_and_head_that_are_one_matrix_stay_one(tiny_base: Path) -> None:
    model = load_model(tiny_base, "int8")
    words, head = model.get_input_embeddings(), model.get_output_embeddings()
    assert head.codes is words.codes
    assert head.scale is words.scale
    assert head.out_features == words.num_embeddings == 384


def test_a_weight_takes_a_byte(tiny_base: Path) -> None:
    """A layer of the tiny Llama: q, o 32², k, v 32·16, three of 32·64; 384 words; 4 bytes for each output or word."""
    model = load_model(tiny_base, "int8")
    low = [m for m in model.modules() if isinstance(m, Int8Linear)]
    weights = 2 * (2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 64) + 384 * 32
    outputs = 2 * (32 + 16 + 16 + 32 + 64 + 64 + 32) + 384
    assert sum(m.codes.nbytes + m.scale.nbytes for m in low) == weights + 4 * outputs
    others = [p for p in model.parameters() if p.dtype != torch.int8]
    assert {p.dtype for p in others} == {lasting_dtype("cpu")}


def test_without_bf16_it_is_read_in_16_bits_and_computed_in_32(
    tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the whole is never there in float32, on the machines that have the least memory."""
    monkeypatch.setattr("quire.model.base.lasting_dtype", lambda device: torch.float32)
    model = load_model(tiny_base, "int8")
    assert model.get_input_embeddings().weight.dtype == torch.float32
    norm = model.model.norm.weight
    assert norm.dtype == torch.float32
    assert torch.equal(norm, norm.bfloat16().float())
    low = [m for m in model.modules() if isinstance(m, Int8Linear)]
    assert {(m.codes.dtype, m.scale.dtype, m.weight.dtype) for m in low} == {(torch.int8, torch.float32, torch.float32)}
    assert torch.isfinite(logits(model)).all()
    plain = load_model(tiny_base, "fp32")
    assert float((logits(model) - logits(plain)).pow(2).mean().sqrt() / logits(plain).std()) < 0.05


def test_layers_are_changed_one_after_the_other(tiny_model: PreTrainedModel) -> None:
    """While one is changed those before it are gone already: the whole is never there twice."""
    before = [weakref.ref(m.weight) for m in tiny_model.model.modules() if isinstance(m, nn.Linear)]
    alive = []

    def make(weight: Tensor, bias: nn.Parameter | None) -> Int8Linear:
        alive.append(sum(found() is not None for found in before))
        return Int8Linear(weight, bias)

    lowbit._exchange(tiny_model, make)
    assert alive == list(range(14, 0, -1))


def gradients(model: nn.Module) -> dict[str, Tensor]:
    model.zero_grad()
    model.train()
    model(input_ids=IDS, labels=IDS, use_cache=False).loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


PRECISIONS = ["fp32", "bf16", "int8", pytest.param("nf4", marks=needs_nf4)]
METHODS = [
    {},
    {"rslora": True},
    {"dora": True},
    {"init": "pissa"},
    {"init": "gaussian"},
]


@pytest.mark.parametrize("method", METHODS, ids=str)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_gradients_flow_after_an_evaluation_and_with_activations_computed_twice(
    precision: str, method: dict[str, object], tiny_base: Path
) -> None:
    base = load_model(tiny_base, precision)
    model = attach(base, Lora(rank=4, dropout=0.0, **method), seed=1)
    learning = {name for name, p in model.named_parameters() if p.requires_grad}
    before = gradients(model)
    with torch.no_grad(), evaluating(model):
        model(input_ids=IDS, use_cache=False)
    after = gradients(model)
    assert set(before) == set(after) == learning
    assert all(torch.equal(before[name], after[name]) for name in before)
    halves = [name for name in learning if "lora_B" in name or "magnitude" in name]
    assert all(bool(after[name].any()) for name in halves)
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    twice = gradients(model)
    assert all(torch.equal(twice[name], after[name]) for name in after)
    assert all(p.grad is None for p in model.parameters() if not p.requires_grad)


@pytest.mark.parametrize("precision", ["int8", pytest.param("nf4", marks=needs_nf4)])
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_an_adapter_learned_on_few_bits_is_a_plain_one_for_any_base(
    precision: str, family: str, tiny_bases: dict[str, Path], tmp_path: Path
) -> None:
    loaded = load_base(find_base(str(tiny_bases[family])), precision)
    before = logits(loaded.model)
    model = attach(loaded.model, Lora(rank=4), seed=1)
    quicken(model)  # as whoever trains does, and whoever loads a voice
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.requires_grad:
                p.add_(0.05 * numbers(*p.shape, seed=len(name)))
    trained = logits(model)
    save_adapter(model, loaded.tokenizer, str(tiny_bases[family]), tmp_path)
    assert torch.equal(logits(load_voice(tmp_path, precision).model), trained)
    full = logits(load_voice(tmp_path, "fp32").model)
    near, far = (trained - full).pow(2).mean().sqrt(), (trained - before).pow(2).mean().sqrt()
    assert near < 0.3 * far, "what was learned is the same on the base in full"
    torch.testing.assert_close(logits(merge(tmp_path)[0]), full, atol=1e-4, rtol=0)


@needs_nf4
def test_nf4_is_bitsandbytes_own_as_transformers_loads_it(tiny_base: Path) -> None:
    model = load_model(tiny_base, "nf4")
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=lasting_dtype("cpu"),
    )
    theirs = AutoModelForCausalLM.from_pretrained(
        tiny_base, quantization_config=config, dtype=lasting_dtype("cpu"), device_map={"": "cpu"}
    )
    states = [
        {name: m.weight.quant_state for name, m in found.named_modules() if type(m).__name__ == "Linear4bit"}
        for found in (model, theirs)
    ]
    assert set(states[0]) == set(states[1])
    for name, state in states[0].items():
        assert (state.quant_type, state.nested, state.blocksize) == ("nf4", True, 64)
        assert torch.equal(model.get_submodule(name).weight, theirs.get_submodule(name).weight)
        assert torch.equal(state.absmax, states[1][name].absmax)
    for module in theirs.modules():
        if type(module).__name__ == "Linear4bit":
            module.support_avx512bf16_for_cpu = False  # its packing cannot hold matrices as small as these
    assert torch.equal(logits(model), logits(theirs))
    assert count_parameters(model)[1] == count_parameters(load_model(tiny_base, "fp32"))[1]


@needs_nf4
def test_the_trap_of_repacking_is_disarmed(tiny_model: PreTrainedModel) -> None:
    """With bitsandbytes' own setting a layer repacks on its first pass without gradients, where the CPU has bf16."""
    to_nf4(tiny_model, "cpu")
    low = [m for m in tiny_model.modules() if type(m).__name__ == "Linear4bit"]
    assert len(low) == 14
    assert not any(m.support_avx512bf16_for_cpu for m in low)


def test_without_bitsandbytes_nf4_is_refused_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quire.planner.precision.find_spec", lambda name: None)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(RecipeError, match="needs bitsandbytes") as caught:
        load_model(tmp_path, "nf4")
    assert "quire[gpu]" in caught.value.then
