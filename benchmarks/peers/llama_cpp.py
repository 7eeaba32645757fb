"""llama.cpp, through the package xllamacpp: a base as a GGUF file, and how fast it writes.

In an environment of its own: `python -m benchmarks.peers.llama_cpp gguf BASE FILE bf16|f16|q8_0|f32` and
`python -m benchmarks.peers.llama_cpp write JOB` (see writing.py).  The vocabulary in the file is made up: only numbers
of tokens are read and written here.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.peers.meter import MARK

NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
OUTER = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def to_gguf(base: Path, file: Path, kind: str) -> None:
    """Write a Llama's folder, its weights in bf16, as one GGUF file with its matrices in `kind`."""
    import gguf
    import numpy as np

    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    heads, kv_heads, size = config["num_attention_heads"], config["num_key_value_heads"], config["vocab_size"]
    unfinished = file.with_name(file.name + ".unfinished")
    writer = gguf.GGUFWriter(str(unfinished), "llama")
    writer.add_name("random")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(config["hidden_size"] // heads)
    writer.add_vocab_size(size)
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    types = [2, 3, 3, *[6] * 256]
    writer.add_tokenizer_model("llama")
    writer.add_token_list([*tokens, *(f"word{number}" for number in range(len(tokens), size))])
    writer.add_token_scores([0.0] * size)
    writer.add_token_types([*types, *[1] * (size - len(types))])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    wanted = gguf.GGMLQuantizationType[kind.upper()]
    for name, weight in _tensors(base):
        stem = name.removesuffix(".weight")
        if stem in OUTER:
            stem = OUTER[stem]
        else:
            _, _, layer, rest = stem.split(".", 3)
            stem = f"blk.{layer}.{NAMES[rest]}"
        if stem.endswith(("attn_q", "attn_k")):  # llama.cpp turns neighbouring numbers, not a head's two halves
            count = heads if stem.endswith("attn_q") else kv_heads
            weight = weight.reshape(count, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)
        if weight.ndim == 1 or kind == "f32":
            writer.add_tensor(f"{stem}.weight", np.ascontiguousarray(weight))
        else:
            writer.add_tensor(f"{stem}.weight", gguf.quants.quantize(weight, wanted), raw_dtype=wanted)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    unfinished.rename(file)


def _tensors(base: Path) -> Iterator[tuple[str, Any]]:
    """Names and float32 arrays out of a folder's safetensors files, which hold bf16."""
    import numpy as np

    for path in sorted(base.glob("*.safetensors")):
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            table = json.loads(file.read(length))
        table.pop("__metadata__", None)
        for name, told in table.items():
            if told["dtype"] != "BF16":
                raise ValueError(f"{path}: {name} is {told['dtype']}, and not BF16")
            start, end = told["data_offsets"]
            halves = np.fromfile(path, np.uint16, (end - start) // 2, offset=8 + length + start)
            yield name, (halves.astype(np.uint32) << 16).view(np.float32).reshape(told["shape"])


def write(job: dict[str, Any]) -> None:
    """Write greedily from prompts of token numbers, and say how many seconds each round took."""
    import xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path = job["file"]
    settings.n_ctx = (job["prompt"] + job["new"] + 16) * job["texts"]
    settings.n_parallel = job["texts"]
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = job["threads"]
    settings.warmup = True
    server = xllamacpp.Server(settings)

    def one(ids: list[int], new: int) -> dict[str, Any]:
        asked = {"prompt": ids, "n_predict": new, "temperature": 0, "samplers": ["top_k"], "top_k": 1}
        answer = server.handle_completions({**asked, "ignore_eos": True, "cache_prompt": False, "return_tokens": True})
        return dict(json.loads(answer) if isinstance(answer, str) else answer)

    rounds, written = [], []
    with ThreadPoolExecutor(job["texts"]) as pool:
        list(pool.map(lambda ids: one(ids, 8), job["ids"]))
        for _ in range(job["rounds"]):
            began, worked = time.perf_counter(), time.process_time()
            answers = list(pool.map(lambda ids: one(ids, job["new"]), job["ids"]))
            whole, worked = time.perf_counter() - began, time.process_time() - worked
            for answer in answers:
                assert answer["timings"]["predicted_n"] == job["new"], answer["timings"]
            rounds.append([whole, max(answer["timings"]["predicted_ms"] for answer in answers) / 1000, worked])
            written = answers[0].get("tokens") or []
    print(MARK + json.dumps({"rounds": rounds, "written": written}), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "gguf":
        to_gguf(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
    else:
        write(json.loads(sys.argv[2]))
