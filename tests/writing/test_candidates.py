"""Several texts at once: each is the text that its seed draws alone, wherever the others end."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from quire.model.kernels import decode
from quire.model.kernels.native import native
from quire.recipe.schema import WriteSettings
from quire.tokens.tokenizer import load_tokenizer
from quire.writing.sampler import candidate_seed, stream_text, write_texts
from tiny import build_model

CASES = {
    "drawn": {"max_new_tokens": 30},
    "hot": {"max_new_tokens": 60, "temperature": 1.5, "top_p": 1.0, "repetition_penalty": 1.0},
    "stopped": {"max_new_tokens": 60, "stop": ["e", "an"], "temperature": 1.3},
    "longer than the view": {"max_new_tokens": 300, "temperature": 1.2},
}


@pytest.mark.parametrize("way", ["native", "plain"])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("prompt", ["", "The ferryman opened the door", "[user] Who is there?"])
def test_each_is_what_its_seed_draws_alone(
    way: str,
    case: str,
    prompt: str,
    tiny_base: Path,
    tiny_tokenizer: PreTrainedTokenizerFast,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if way == "native" and native() is None:
        pytest.skip("no native kernels here")
    if way == "plain":
        monkeypatch.setattr(decode, "native", lambda: None)
    model, tokenizer = build_model("llama", tiny_tokenizer), load_tokenizer(tiny_base)
    settings = WriteSettings(**CASES[case], num_return_sequences=4)
    texts = write_texts(model, tokenizer, prompt, settings, 3)
    alone = ["".join(stream_text(model, tokenizer, prompt, settings, candidate_seed(3, n))) for n in range(4)]
    assert texts == alone
    assert len(set(texts)) > 1 or case == "stopped"
