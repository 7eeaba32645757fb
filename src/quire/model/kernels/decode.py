"""Writing one token after the other on a processor, through a whole Llama-like model in one native call.

Reading the weights once a token is what takes the time, and transformers spends as long again between them.  The kernel
(source/decode.c) reads the model's own weights where they lie, bf16, float32 or 8 bits (model.lowbit), adds every
adapter that counts as two small products in float32, and keeps everything between the weights in float32.

The plain version is the transformers model itself: what `decoder_of` does not know goes on there, and so does
everything where `native` is None.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from peft import PeftModel
from peft.tuners.lora import LoraModel
from peft.tuners.lora.layer import Linear as AdaptedLinear
from torch import Tensor, nn
from transformers import LlamaForCausalLM, MistralForCausalLM, PreTrainedModel, Qwen2ForCausalLM
from transformers.cache_utils import DynamicCache, DynamicLayer
from transformers.models.llama.modeling_llama import LlamaRMSNorm
from transformers.models.mistral.modeling_mistral import MistralRMSNorm
from transformers.models.qwen2.modeling_qwen2 import Qwen2RMSNorm

from quire.model.kernels.native import Native, native
from quire.model.lowbit import Int8Embedding, Int8Head, Int8Linear

FAMILIES = (LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM)
NORMS = (LlamaRMSNorm, MistralRMSNorm, Qwen2RMSNorm)
# Their angles do not depend on how much has been read.
ROPE_TYPES = ("default", "linear", "llama3", "yarn")
KINDS = {torch.float32: 0, torch.bfloat16: 1, torch.int8: 2}
CODES = 3  # int8 under an input that is not rounded

BLOCK = 256  # tokens by which the view grows at least; a multiple of the kernel's 16
AT_ONCE = 32  # tokens of one text that a call reads; more would take room and gain nothing


@dataclass(frozen=True)
class Matrix:
    """A linear layer: `weight` (rows, columns) in float32, bf16 or, with `scale` (rows,), int8; `bias` (rows,).

    `kind` is the weight's format as the kernel numbers it.  `down` (rank, columns), `up` (rows, rank) and `strength`
    (rank,) are the adapters that count, side by side.
    """

    kind: int
    weight: Tensor
    scale: Tensor | None
    bias: Tensor | None
    down: Tensor | None
    up: Tensor | None
    strength: Tensor | None

    @property
    def rank(self) -> int:
        return 0 if self.strength is None else len(self.strength)

    def parts(self) -> tuple[Tensor | None, ...]:
        """In the kernel's order."""
        return self.weight, self.scale, self.bias, self.down, self.up, self.strength


@dataclass(frozen=True)
class Table:
    """Embeddings: `weight` (words, width) in float32, bf16 or, with `scale` (words,), int8; as numbers in `dtype`."""

    weight: Tensor
    scale: Tensor | None
    dtype: torch.dtype


@dataclass(frozen=True)
class Decoder:
    """A model as the kernel reads it: `table` tells where everything lies, `held` keeps it there.

    Weights are the model's own.  Which adapters count, norms and biases are as they were when this was made.
    """

    library: Native
    table: Tensor
    held: tuple[Tensor, ...]
    rotary: nn.Module
    dtype: torch.dtype
    layers: int
    kv_heads: int
    head: int
    vocabulary: int
    eps: float


def decoder_of(model: PreTrainedModel | PeftModel) -> Decoder | None:
    """`model` for the native kernel; None where that is not there or would not compute the same."""
    library = native()
    base = model.get_base_model() if isinstance(model, PeftModel) else model
    if library is None or model.training or not isinstance(base, FAMILIES) or not _usual(base):
        return None
    if isinstance(model, PeftModel) and not isinstance(model.base_model, LoraModel):
        return None
    inner = base.model
    norms = [
        inner.norm,
        *(norm for one in inner.layers for norm in (one.input_layernorm, one.post_attention_layernorm)),
    ]
    layers = [
        _matrix(layer)
        for one in inner.layers
        for layer in (
            *(one.self_attn.q_proj, one.self_attn.k_proj, one.self_attn.v_proj, one.self_attn.o_proj),
            *(one.mlp.gate_proj, one.mlp.up_proj, one.mlp.down_proj),
        )
    ]
    matrices = [matrix for matrix in (_matrix(base.lm_head), *layers) if matrix is not None]
    table = _table(inner.embed_tokens)
    known = table is not None and len(matrices) == 1 + len(layers)
    known = known and all(isinstance(norm, NORMS) for norm in norms)  # or our own in their place (model.quick)
    if table is None or not known:
        return None
    every: list[Table | Matrix] = [table, *matrices]
    scales = [one.scale for one in every if one.scale is not None]
    if not all(_readable(one.weight, *KINDS) for one in every) or not all(_readable(s, torch.float32) for s in scales):
        return None
    if scales and not library.bytes_too:
        return None
    return _decoder(library, base, table, [norm.weight.detach().float() for norm in norms], matrices)


def _usual(base: PreTrainedModel) -> bool:
    """Whether a model of the known families computes as the kernel does: no class of its own, no odd settings."""
    config = base.config
    if (
        type(base) not in FAMILIES
        or config.hidden_act != "silu"
        or config.rope_parameters["rope_type"] not in ROPE_TYPES
    ):
        return False
    if isinstance(base, MistralForCausalLM):
        return config.sliding_window is None or config.sliding_window >= config.max_position_embeddings
    return not isinstance(base, Qwen2ForCausalLM) or set(config.layer_types) == {"full_attention"}


def _matrix(layer: nn.Module) -> Matrix | None:
    """None for a layer of a kind that the kernel does not know."""
    adapters: list[tuple[Tensor, Tensor, float]] = []
    if isinstance(layer, AdaptedLinear):  # or our own in its place (model.quick)
        names = [name for name in layer.active_adapters if name in layer.lora_A]
        if not layer.disable_adapters and not layer.merged:
            if layer.fan_in_fan_out or any(name in layer.lora_variant or layer.lora_bias[name] for name in names):
                return None
            for name in names:
                first, second = layer.lora_A[name], layer.lora_B[name]
                if type(first) is not nn.Linear or type(second) is not nn.Linear:
                    return None
                adapters.append((first.weight, second.weight, layer.scaling[name]))
        elif layer.merged and layer.disable_adapters:
            return None  # on its next pass it takes the adapter out of its weights
        layer = layer.get_base_layer()
    if not isinstance(layer, nn.Linear) or type(layer) not in (nn.Linear, Int8Linear, Int8Head):
        return None
    weight = layer.codes.detach() if isinstance(layer, Int8Linear) else layer.weight.detach()
    scale = layer.scale if isinstance(layer, Int8Linear) else None
    kind = CODES if isinstance(layer, Int8Head) else KINDS.get(weight.dtype, 0)
    bias = layer.bias.detach().float() if isinstance(layer.bias, Tensor) else None
    return Matrix(kind, weight, scale, bias, *_side_by_side(adapters))


def _table(layer: nn.Module) -> Table | None:
    """None for embeddings of a kind that the kernel does not know."""
    if type(layer) is Int8Embedding:
        return Table(layer.codes.detach(), layer.scale, layer.dtype)
    return Table(layer.weight.detach(), None, layer.weight.dtype) if type(layer) is nn.Embedding else None


def _side_by_side(
    adapters: Sequence[tuple[Tensor, Tensor, float]],
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """(A (ranks, inputs), B (outputs, ranks), strengths (ranks,)) in float32; a single adapter's lie where they are."""
    if not adapters:
        return None, None, None
    first, second = [a.detach().float() for a, _, _ in adapters], [b.detach().float() for _, b, _ in adapters]
    strength = torch.tensor([s for a, _, s in adapters for _ in range(len(a))], dtype=torch.float32)
    if len(adapters) == 1:
        return first[0].contiguous(), second[0].contiguous(), strength
    return torch.cat(first), torch.cat(second, dim=1), strength


def _readable(numbers: Tensor, *formats: torch.dtype) -> bool:
    """Whether the kernel can read them where they lie."""
    return numbers.device.type == "cpu" and numbers.is_contiguous() and numbers.dtype in formats


def _decoder(
    library: Native, base: PreTrainedModel, table: Table, norms: list[Tensor], matrices: list[Matrix]
) -> Decoder:
    """`norms`: the last one, then two of every layer; `matrices`: the output head, then seven of every layer."""
    inner, config = base.model, base.config
    attention = inner.layers[0].self_attn
    head, layers = int(attention.head_dim), len(inner.layers)
    sizes = [layers, table.weight.shape[1], config.num_attention_heads, config.num_key_value_heads, head]
    words = [*sizes, KINDS[table.dtype], max(matrix.rank for matrix in matrices)]
    words += [*_addresses([table.weight, table.scale, norms[0]]), *_words(matrices[0])]
    for i in range(layers):
        words += _addresses(norms[1 + 2 * i : 3 + 2 * i])
        for matrix in matrices[1 + 7 * i : 8 + 7 * i]:
            words += _words(matrix)
    parts = [table.weight, table.scale, *norms, *(part for matrix in matrices for part in matrix.parts())]
    held = [part for part in parts if part is not None]
    return Decoder(
        library=library,
        table=torch.tensor(words, dtype=torch.int64),
        held=tuple(held),
        rotary=inner.rotary_emb,
        dtype=table.dtype,
        layers=layers,
        kv_heads=config.num_key_value_heads,
        head=head,
        vocabulary=matrices[0].weight.shape[0],
        eps=float(inner.norm.variance_epsilon),
    )


def _words(matrix: Matrix) -> list[int]:
    """A matrix as in source/decode.c."""
    return [*_addresses(matrix.parts()), matrix.kind, *matrix.weight.shape, matrix.rank]


def _addresses(tensors: Iterable[Tensor | None]) -> list[int]:
    return [0 if tensor is None else tensor.data_ptr() for tensor in tensors]


class Texts:
    """Texts that are written side by side, by number: what the model has read of each, and reading on.

    What a text is told depends neither on how many are read together nor on the number of threads.
    """

    def __init__(self, decoder: Decoder, count: int = 1) -> None:
        self.decoder = decoder
        self.lengths = [0] * count
        self._keys = self._values = torch.empty(0)
        self._cos = self._sin = torch.empty(0)
        self._capacity = 0
        self._make_room(BLOCK)

    def read(self, texts: Sequence[int], ids: Sequence[int]) -> Tensor:
        """Read one token of each of some different texts; float32 scores (texts, vocabulary) of what comes next."""
        assert len(set(texts)) == len(texts) == len(ids)
        scores = self._step(texts, ids, [self.lengths[text] for text in texts], 0)
        for text in texts:
            self.lengths[text] += 1
        return scores

    def read_on(self, text: int, ids: Sequence[int]) -> Tensor:
        """Read several tokens of one text, a few at a time; float32 scores (1, vocabulary) of what comes after them."""
        assert ids
        for start in range(0, len(ids), AT_ONCE):
            some = ids[start : start + AT_ONCE]
            begin = self.lengths[text]
            scores = self._step([text] * len(some), some, range(begin, begin + len(some)), len(some) - 1)
            self.lengths[text] += len(some)
        return scores

    def forget(self, text: int) -> None:
        """As if nothing of it had been read."""
        self.lengths[text] = 0

    @torch.no_grad()
    def take_over(self, text: int, cache: DynamicCache) -> None:
        """Go on where the model stopped reading (layers of keys and values (1, kv_heads, tokens, head))."""
        length = int(cache.get_seq_length())
        self._make_room(length)
        blocks = -(-length // 16)
        for i, layer in enumerate(cache.layers):
            assert isinstance(layer, DynamicLayer)
            assert layer.keys is not None
            assert layer.values is not None
            keys = nn.functional.pad(layer.keys[0], (0, 0, 0, blocks * 16 - length))
            self._keys[text, i, :, :blocks] = keys.view(len(keys), blocks, 16, -1).transpose(2, 3)
            self._values[text, i, :, :length] = layer.values[0]
        self.lengths[text] = length

    def follow(self, text: int, other: int) -> None:
        """Let `text` have read what `other` has."""
        length = self.lengths[other]
        blocks = -(-length // 16)
        self._keys[text, :, :, :blocks] = self._keys[other, :, :, :blocks]
        self._values[text, :, :, :length] = self._values[other, :, :, :length]
        self.lengths[text] = length

    def _step(self, texts: Sequence[int], ids: Sequence[int], positions: Sequence[int], scored: int) -> Tensor:
        decoder, count, threads = self.decoder, len(ids), torch.get_num_threads()
        assert all(0 <= token < decoder.vocabulary for token in ids)
        self._make_room(max(positions) + 1)
        new = torch.tensor([[*ids], [*positions], [*texts]], dtype=torch.int64)
        floats = torch.empty(1, dtype=torch.int64)
        decoder.library.call("quire_decode_room", decoder.table, count, self._capacity, threads, floats)
        room = torch.empty(int(floats.item()))
        scores = torch.empty(count - scored, decoder.vocabulary)
        view = (self._keys, self._values, self._cos, self._sin, self._capacity)
        arguments = (*view, new[0], new[1], new[2], count, scored, room, threads, scores, decoder.eps)
        decoder.library.call("quire_decode", decoder.table, *arguments)
        return scores

    def _make_room(self, length: int) -> None:
        """Let the view hold `length` tokens of each text; it grows by half, so that copying it costs little."""
        if length <= self._capacity:
            return
        decoder, before = self.decoder, self._capacity
        capacity = -(-max(length, before + before // 2) // BLOCK) * BLOCK
        rows = (len(self.lengths), decoder.layers, decoder.kv_heads)
        with torch.inference_mode(False):  # they may be written to in another mode than the one they are made in
            # Zeros, for the kernel reads whole blocks of sixteen before it leaves out what is not there.
            keys = torch.zeros(*rows, capacity // 16, decoder.head, 16, dtype=decoder.dtype)
            values = torch.zeros(*rows, capacity, decoder.head, dtype=decoder.dtype)
        if before:
            keys[:, :, :, : before // 16] = self._keys
            values[:, :, :, :before] = self._values
        self._keys, self._values, self._capacity = keys, values, capacity
        # As the model has them, in its own format.
        cos, sin = decoder.rotary(values, torch.arange(capacity)[None])
        self._cos, self._sin = cos[0].float().contiguous(), sin[0].float().contiguous()
