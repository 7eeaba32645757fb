"""A frozen base in 8 or 4 bits, under an adapter that stays in full precision.

`int8` is our own, made for processors: weights in 8 bits with a scale for every output, activations rounded to 8 bits
with a scale for every token, so that both the product and its gradient are products of whole numbers.  Embeddings and
the output head keep their weights in 8 bits too and compute in 16: most of a logit's gradient is far smaller than the
target's, and would be nothing in 8.  Norms and biases stay as they are.
`nf4` is bitsandbytes' (QLoRA, arXiv 2305.14314): 4 bits in blocks of 64, their scales in 8 bits; but for the layers'
matrices all stays as it is.

`to_int8` and `to_nf4` are the only places where layers change, one after the other, so that never more than one matrix
stands there twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from quire.errors import RecipeError
from quire.model.file_pages import let_file_pages_go
from quire.model.kernels import products
from quire.model.kernels.whole_numbers import dequantise, product, product_back, quantise_rows, rounded
from quire.planner.memory import FILE_AT_ONCE
from quire.planner.precision import has_nf4


class Int8Linear(nn.Linear):
    """A frozen linear layer in 8 bits, which any adapter that can lie on `nn.Linear` can lie on.

    `codes` (outputs, inputs) times `scale` (outputs,) are the weights; `weight` gives them as numbers, made anew each
    time it is asked for (adapters that measure the weights, such as DoRA, ask).
    """

    codes: nn.Parameter
    scale: Tensor

    def __init__(self, weight: Tensor, bias: nn.Parameter | None, dtype: torch.dtype | None = None) -> None:
        """Of a weight (outputs, inputs) in any floating format; `weight` has that one, or `dtype`."""
        nn.Module.__init__(self)
        self.out_features, self.in_features = weight.shape
        self.dtype = dtype or weight.dtype
        codes, scale = quantise_rows(weight.detach())
        self.codes = nn.Parameter(codes, requires_grad=False)
        self.register_buffer("scale", scale[:, 0])
        self.register_parameter("bias", bias)

    @property
    def weight(self) -> Tensor:  # type: ignore[override]  # a parameter there, numbers made on demand here
        return dequantise(self.codes, self.scale, self.dtype)

    def forward(self, input: Tensor) -> Tensor:
        """(…, inputs) to (…, outputs), in the format of `input`."""
        arguments = (input.flatten(0, -2), self.codes, self.scale, self.bias)
        output: Tensor = _Product.apply(*arguments)  # type: ignore[no-untyped-call]
        return output.reshape(*input.shape[:-1], self.out_features)


class Int8Head(Int8Linear):
    """The same weights under an input that is not rounded: the layer that makes logits."""

    def forward(self, input: Tensor) -> Tensor:
        """(…, inputs) to (…, outputs), in the format of `input`."""
        arguments = (input.flatten(0, -2), self.codes, self.scale, self.bias)
        output: Tensor = _HeadProduct.apply(*arguments)  # type: ignore[no-untyped-call]
        return output.reshape(*input.shape[:-1], self.out_features)


class Int8Embedding(nn.Embedding):
    """A frozen table of embeddings in 8 bits, with a scale for every word, which PEFT takes for one of torch's."""

    codes: nn.Parameter
    scale: Tensor

    def __init__(self, weight: Tensor, dtype: torch.dtype | None = None) -> None:
        """Of a weight (words, width) in any floating format; embeddings have that one, or `dtype`."""
        nn.Module.__init__(self)
        self.num_embeddings, self.embedding_dim = weight.shape
        self.padding_idx, self.max_norm, self.norm_type = None, None, 2.0
        self.scale_grad_by_freq = self.sparse = False
        self.dtype = dtype or weight.dtype
        codes, scale = quantise_rows(weight.detach())
        self.codes = nn.Parameter(codes, requires_grad=False)
        self.register_buffer("scale", scale[:, 0])

    @property
    def weight(self) -> Tensor:  # type: ignore[override]  # a parameter there, numbers made on demand here
        return dequantise(self.codes, self.scale, self.dtype)

    def forward(self, input: Tensor) -> Tensor:
        """Whole numbers (…) to (…, width)."""
        words = input.flatten()
        return dequantise(self.codes[words], self.scale[words], self.dtype).view(*input.shape, self.embedding_dim)


class _HeadProduct(torch.autograd.Function):
    """x (tokens, inputs) times the head's weights, and the gradient back to x."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, x: Tensor, codes: Tensor, scale: Tensor, bias: Tensor | None
    ) -> Tensor:
        ctx.save_for_backward(codes, scale)
        return products.product(x, codes, None if bias is None else bias.to(x.dtype), scale=scale)

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor
    ) -> tuple[Tensor | None, None, None, Tensor | None]:
        codes, scale = ctx.saved_tensors  # type: ignore[attr-defined]
        (gradient,) = gradients
        to_x = products.product_back(gradient, codes, scale=scale) if ctx.needs_input_grad[0] else None  # type: ignore[attr-defined]
        to_bias = gradient.sum(0, dtype=torch.float32) if ctx.needs_input_grad[3] else None  # type: ignore[attr-defined]
        return to_x, None, None, to_bias


class _Product(torch.autograd.Function):
    """x (tokens, inputs) times the weights, and the gradient back to x.  Nothing but the layer's own codes is kept."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, x: Tensor, codes: Tensor, scale: Tensor, bias: Tensor | None
    ) -> Tensor:
        ctx.save_for_backward(codes, scale)
        if not multiplies_bytes(x.device.type):
            return functional.linear(x, dequantise(codes, scale, x.dtype), bias)
        return product(rounded(x), codes, scale, bias)

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor
    ) -> tuple[Tensor | None, None, None, Tensor | None]:
        codes, scale = ctx.saved_tensors  # type: ignore[attr-defined]
        (gradient,) = gradients
        to_x, to_bias = None, None
        if ctx.needs_input_grad[0]:  # type: ignore[attr-defined]
            if multiplies_bytes(gradient.device.type):
                to_x = product_back(rounded(gradient, scale), codes)
            else:
                to_x = gradient @ dequantise(codes, scale, gradient.dtype)
        if ctx.needs_input_grad[3]:  # type: ignore[attr-defined]
            to_bias = gradient.sum(0, dtype=torch.float32)
        return to_x, None, None, to_bias


@cache
def multiplies_bytes(device: str) -> bool:
    """Whether products of bytes are faster here than those of floating numbers: processors with instructions for them.

    Elsewhere the weights are made into numbers matrix by matrix, which is slower but takes no more memory.
    """
    can = torch.cpu.get_capabilities()
    return device == "cpu" and any(can.get(name, False) for name in ("avx512_vnni", "avx_vnni", "amx_int8"))


@cache
def lasting_dtype(device: str) -> torch.dtype:
    """The format of what stays unquantised, and of the computation: bf16 where the hardware has it.

    Told by the processor's flags and not measured, so that a resumed run computes as before.  A GPU without bf16 takes
    fp16, whose loss must be scaled; a processor fp32, for on one without bf16 instructions it is far faster.
    """
    if device == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    can = torch.cpu.get_capabilities()
    native = any(can.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
    return torch.bfloat16 if native else torch.float32


def to_int8(model: PreTrainedModel, dtype: torch.dtype | None = None) -> None:
    """Change every linear layer of `model`, its embeddings and its output head to 8 bits, in place; their `weight` is
    told in `dtype`, or as it was."""
    _exchange(model, lambda weight, bias: Int8Linear(weight, bias, dtype))
    ends_to_int8(model, dtype)


def ends_to_int8(model: PreTrainedModel, dtype: torch.dtype | None = None) -> None:
    """Change embeddings and output head, where they are torch's own; where they are one matrix they stay one."""
    words: nn.Module = model.get_input_embeddings()
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    tied = isinstance(head, nn.Linear) and head.weight is words.weight
    if type(words) is not nn.Embedding or (tied and type(head) is not nn.Linear):
        return  # Gemma's, which multiplies what it finds
    low = Int8Embedding(words.weight, dtype)
    model.set_input_embeddings(low)
    del words  # or it would be there while the head is changed
    let_file_pages_go()
    if type(head) is nn.Linear:
        top = Int8Head(head.weight[:1] if tied else head.weight, head.bias, dtype)
        if tied:
            top.out_features, top.codes, top.scale = low.num_embeddings, low.codes, low.scale
        model.set_output_embeddings(top.train(head.training))  # type: ignore[no-untyped-call]
    let_file_pages_go()


def settle_rest(model: PreTrainedModel, dtype: torch.dtype) -> None:
    """Copy what was not quantised, in `dtype`.  The quantised layers' scales stay in float32.

    Weights read from a file are a view of it, and as long as one of them is left the whole file is held in memory.
    """
    for parameter in model.parameters():
        if parameter.is_floating_point():
            parameter.data = parameter.data.to(dtype, copy=True)


def to_nf4(model: PreTrainedModel, device: str) -> None:
    """Change every linear layer of `model` but its output head to bitsandbytes' 4 bits on `device`, in place."""
    require_nf4()
    layers = import_module("bitsandbytes.nn")

    def layer(weight: Tensor, bias: nn.Parameter | None) -> nn.Linear:
        outputs, inputs = weight.shape
        four: nn.Linear = layers.Linear4bit(
            inputs, outputs, bias is not None, compute_dtype=weight.dtype, device="meta"
        )
        four.weight = layers.Params4bit(
            weight.detach().contiguous(), requires_grad=False, compress_statistics=True, quant_type="nf4", module=four
        ).to(device)
        four.register_parameter("bias", bias)
        # Otherwise it repacks itself for inference on its first pass without gradients, and never gives one again.
        four.support_avx512bf16_for_cpu = False  # type: ignore[assignment]
        return four

    _exchange(model, layer)


def require_nf4() -> None:
    """RecipeError where bitsandbytes is not installed."""
    if not has_nf4():
        raise RecipeError(
            "precision nf4 needs bitsandbytes, which is not installed",
            "install it with: pip install 'quire[gpu]'; or use --set train.precision=int8",
        )


def _exchange(model: PreTrainedModel, make: Callable[[Tensor, nn.Parameter | None], nn.Linear]) -> None:
    """Put what `make` gives for (weight (outputs, inputs), bias) in the place of every linear layer but the head."""
    read = 0
    for parent, name in list(_linear_layers(model)):  # only names: a layer that is held could not be freed
        layer = parent.get_submodule(name)
        assert isinstance(layer, nn.Linear | Conv1D)
        weight = layer.weight.t() if isinstance(layer, Conv1D) else layer.weight
        bias = layer.bias
        if bias is not None:
            bias.requires_grad_(False)
        setattr(parent, name, make(weight, bias).train(layer.training))
        read += weight.nbytes
        if read > FILE_AT_ONCE:
            let_file_pages_go()
            read = 0


def _linear_layers(model: PreTrainedModel) -> Iterator[tuple[nn.Module, str]]:
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    for parent in model.modules():
        for name, layer in parent.named_children():
            if isinstance(layer, nn.Linear | Conv1D) and layer is not head:
                yield parent, name
