"""The embedded base in plain peft: an adapter on all its linear layers learns, is saved, loaded and merged."""

from __future__ import annotations

from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

STEP = 1e-2


def fresh(folder: Path) -> PreTrainedModel:
    """In float32, so that merging rounds nothing away that could be seen."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


@torch.no_grad()
def answer(model: torch.nn.Module, ids: Tensor) -> Tensor:
    return model.eval()(input_ids=ids).logits


def test_an_adapter_goes_all_the_way(embedded: Path, theirs: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    ids = theirs("The ferry did not come. — Elle reviendra, dit-il.", return_tensors="pt").input_ids
    base = fresh(embedded)
    untouched = answer(base, ids)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        tuned = get_peft_model(base, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))
    trained = {name.split(".")[-4] for name, weight in tuned.named_parameters() if weight.requires_grad}
    assert trained == {*(f"{part}_proj" for part in "qkvo"), "gate_proj", "up_proj", "down_proj"}
    optimizer = torch.optim.AdamW([weight for weight in tuned.parameters() if weight.requires_grad], lr=STEP)
    losses = []
    for _ in range(2):
        loss = tuned.train()(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[1] < losses[0]
    learned = answer(tuned, ids)
    assert not torch.allclose(learned, untouched, atol=1e-3)

    tuned.save_pretrained(tmp_path / "adapter")
    loaded = PeftModel.from_pretrained(fresh(embedded), tmp_path / "adapter")
    assert torch.equal(answer(loaded, ids), learned)

    merged = loaded.merge_and_unload()
    torch.testing.assert_close(answer(merged, ids), learned, atol=1e-4, rtol=1e-4)
    merged.save_pretrained(tmp_path / "merged")
    alone = fresh(tmp_path / "merged")
    assert torch.equal(answer(alone, ids), answer(merged, ids))
    assert alone.get_input_embeddings().weight.data_ptr() == alone.get_output_embeddings().weight.data_ptr()
