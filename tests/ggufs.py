"""A base as a GGUF file, written as llama.cpp's own converter writes a Llama, and what llama.cpp makes of it.

`python ggufs.py FILE` answers one line of JSON on standard output for each on standard input: llama.cpp is a program in
C++ that ends its process where a file displeases it, so it has one of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_SHORT = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
_SIGNS = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
KNOWN: Mapping[str, tuple[str, ...]] = {
    "qwen2": (rf"{_SHORT}|{_WORDS}|\p{{N}}|{_SIGNS}|\s+(?!\S)|\s+",),
    "llama-bpe": (rf"{_SHORT}|{_WORDS}|\p{{N}}{{1,3}}|{_SIGNS}|\s+(?!\S)|\s+",),
    "gpt-2": (_GPT2,),
    "smollm": (r"\p{N}", _GPT2),
}
"""Patterns that llama.cpp knows by these names (src/llama-vocab.cpp), in the order in which they cut."""


def pre_tokenizer_of(folder: Path) -> str | None:
    """llama.cpp's name for how a folder's tokenizer cuts text before it merges; None where it has none for it."""
    core = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    cuts = core["pre_tokenizer"]
    *splits, last = cuts["pretokenizers"] if cuts["type"] == "Sequence" else [cuts]
    plain = last == {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    isolated = all(one["type"] == "Split" and one["behavior"] == "Isolated" and not one["invert"] for one in splits)
    if not plain or not isolated or core["normalizer"] is not None or core["model"]["type"] != "BPE":
        return None
    patterns = tuple(one["pattern"].get("Regex", "") for one in splits)
    return next((name for name, known in KNOWN.items() if known == patterns), None)


def write_gguf(folder: Path, file: Path, cuts: str) -> None:
    """The Llama in `folder`, its weights in float32, for exact comparison; `cuts` names its pre-tokenizer."""
    import gguf
    import numpy as np
    from safetensors.torch import load_file

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    heads, kv_heads, size = config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]
    writer = gguf.GGUFWriter(str(file), "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_key_length(size)
    writer.add_value_length(size)
    writer.add_rope_dimension_count(size)
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    _add_vocabulary(writer, folder, cuts)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    for name, weight in load_file(folder / "model.safetensors").items():
        array = weight.float().numpy()
        if name.endswith(("q_proj.weight", "k_proj.weight")):  # llama.cpp turns neighbours, not a head's two halves
            count = heads if name.endswith("q_proj.weight") else kv_heads
            array = array.reshape(count, 2, -1, array.shape[1]).swapaxes(1, 2).reshape(array.shape)
        writer.add_tensor(str(names.get_name(name, try_suffixes=(".weight",))), np.ascontiguousarray(array))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_vocabulary(writer: Any, folder: Path, cuts: str) -> None:
    """Tokens and their kinds; merges, special tokens and the chat template as gguf's own reader finds them."""
    import gguf

    core = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    control = {token["id"] for token in core["added_tokens"] if token["special"]}
    numbers = {token["id"]: token["content"] for token in core["added_tokens"]}
    numbers |= {number: text for text, number in core["model"]["vocab"].items()}
    ordered = sorted(numbers)
    assert ordered == list(range(len(ordered))), "a number without a token"
    kinds = [gguf.TokenType.CONTROL if number in control else gguf.TokenType.NORMAL for number in ordered]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(cuts)
    writer.add_token_list([numbers[number] for number in ordered])
    writer.add_token_types(kinds)
    gguf.SpecialVocab(folder, load_merges=True).add_to_gguf(writer, quiet=True)


def ask_llama_cpp(file: Path, questions: Sequence[tuple[str, dict[str, Any]]]) -> list[Any]:
    """Its server's answers to requests, each a path and a body.  AssertionError where it does not load the file."""
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    command = [sys.executable, __file__, str(file)]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False, timeout=100)
    answers = [json.loads(line.removeprefix(_SAID)) for line in done.stdout.splitlines() if line.startswith(_SAID)]
    assert len(answers) == len(questions), done.stderr[-2000:]
    return answers


_SAID = "said: "


def _serve(file: str) -> None:
    """On loopback, at a port of its own choice."""
    import xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path = file
    settings.n_ctx = 512
    settings.n_parallel = 1
    settings.warmup = False
    settings.use_jinja = True
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1
    settings.cache_type_k = settings.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    server = xllamacpp.Server(settings)
    for line in sys.stdin:
        path, body = json.loads(line)
        data, kind = json.dumps(body).encode(), {"Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(server.listening_address + path, data, kind)) as answer:
            print(_SAID + json.dumps(json.load(answer)), flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1])
