from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import AutoPeftModelForCausalLM
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from quire.errors import GuardError, VoiceError
from quire.model.adapters import ADAPTER_CONFIG, ADAPTER_FILE
from quire.planner.bases import find_base
from quire.prompts.conversation import asked
from quire.recipe.schema import WriteSettings
from quire.tokens.labels import prompt_ids
from quire.training.learner import Learner, Start, make_learner
from quire.training.optimizers.optimizer import trainable
from quire.training.voice import answer, check_voice, generation_defaults, probe_of, save_voice
from toy import random_ids, toy_rows, toy_settings

PROBE = random_ids(40)


def learned(base: Path, method: object) -> Learner:
    """A model whose learning weights all stand elsewhere than at the start."""
    learner = make_learner(Start(find_base(str(base))), toy_settings(method=method), "fp32", "cpu", seed=7)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for _, p in trainable(learner.model):
            p.add_(0.1 * torch.randn(p.shape, generator=generator))
    return learner


def save(learner: Learner, folder: Path, writing: WriteSettings | None = None, chats: bool = False) -> None:
    def prove(target: Path) -> None:
        check_voice(learner.model, learner.files, learner.precision, target, PROBE, "voice")

    settings = writing or WriteSettings()
    save_voice(learner.model, learner.tokenizer, learner.files, settings, folder, "# card", prove, chats)


@pytest.mark.parametrize("method", [{"lora": {"rank": 4}}, "full"], ids=["lora", "full"])
def test_a_voice_is_what_peft_and_transformers_load_by_themselves(
    method: object, tiny_base: Path, tmp_path: Path
) -> None:
    learner = learned(tiny_base, method)
    save(learner, tmp_path / "voice")
    loader = AutoModelForCausalLM if method == "full" else AutoPeftModelForCausalLM
    by_hand = loader.from_pretrained(str(tmp_path / "voice"), dtype=torch.float32)
    assert torch.equal(answer(by_hand, PROBE), answer(learner.model, PROBE))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "voice")
    assert tokenizer("Eh bien").input_ids == learner.tokenizer.encode("Eh bien")
    weights = "model.safetensors" if method == "full" else ADAPTER_FILE
    there = {file.name for file in (tmp_path / "voice").iterdir()}
    assert {weights, "tokenizer.json", "tokenizer_config.json", "generation_config.json", "README.md"} <= there
    assert (tmp_path / "voice" / "README.md").read_text() == "# card"


@pytest.mark.parametrize("method", [{"lora": {"rank": 4}}, "full"], ids=["lora", "full"])
def test_what_learned_nothing_is_no_voice_and_leaves_no_folder(method: object, tiny_base: Path, tmp_path: Path) -> None:
    """An adapter whose second half is still zero, and a model that is its base."""
    learner = make_learner(Start(find_base(str(tiny_base))), toy_settings(method=method), "fp32", "cpu", seed=7)
    with pytest.raises(GuardError, match="the voice in voice answers exactly as its base"):
        save(learner, tmp_path / "voice")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def learner(tiny_base: Path) -> Learner:
    return learned(tiny_base, {"lora": {"rank": 4}})


@pytest.fixture(scope="module")
def saved(learner: Learner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept") / "voice"
    save(learner, folder)
    return folder


def test_a_voice_that_chats_tells_other_programs_how_to_ask_it(learner: Learner, saved: Path, tmp_path: Path) -> None:
    """transformers writes the prompt by the template in the voice's folder; it is what the voice was trained on."""
    save(learner, tmp_path / "voice", chats=True)
    other = AutoTokenizer.from_pretrained(tmp_path / "voice")
    messages = [{"role": "user", "content": "Who rows?"}]
    theirs = other.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    assert theirs == prompt_ids(asked("Who rows?"), learner.tokenizer)
    assert not (saved / "chat_template.jinja").exists(), "one that learned from a book has none"


def test_all_tokens_that_end_an_answer_are_named(learner: Learner) -> None:
    defaults = json.loads(generation_defaults(learner.tokenizer, WriteSettings(), frozenset((7, 0))))
    assert defaults["eos_token_id"] == [0, 7]
    assert json.loads(generation_defaults(learner.tokenizer, WriteSettings()))["eos_token_id"] == 0


@pytest.fixture
def voice(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "voice"))


def check(learner: Learner, voice: Path) -> None:
    check_voice(learner.model, learner.files, learner.precision, voice, PROBE, "voice")


def rewrite(voice: Path, change: dict[str, float]) -> None:
    """Multiply every tensor whose name holds a key by that key's factor."""
    tensors = load_file(voice / ADAPTER_FILE)
    for part, factor in change.items():
        tensors = {name: t * factor if part in name else t for name, t in tensors.items()}
    save_file(tensors, voice / ADAPTER_FILE)


def test_a_voice_that_is_sound_passes(learner: Learner, voice: Path) -> None:
    check(learner, voice)


@pytest.mark.parametrize(
    ("factor", "said"),
    [(0.0, "does not answer as the trained model"), (2.0, "does not answer as"), (float("nan"), "NaN or infinity")],
)
def test_other_weights_than_were_trained_are_found_out(factor: float, said: str, learner: Learner, voice: Path) -> None:
    rewrite(voice, {"lora_B": factor})
    with pytest.raises(GuardError, match=said):
        check(learner, voice)


def test_another_strength_is_found_out(learner: Learner, voice: Path) -> None:
    config = json.loads((voice / ADAPTER_CONFIG).read_text())
    (voice / ADAPTER_CONFIG).write_text(json.dumps(config | {"lora_alpha": 1}))
    with pytest.raises(GuardError, match="does not answer as the trained model"):
        check(learner, voice)


def test_weights_under_other_names_are_found_out(learner: Learner, voice: Path) -> None:
    tensors = load_file(voice / ADAPTER_FILE)
    save_file({f"model.{name}": tensor for name, tensor in tensors.items()}, voice / ADAPTER_FILE)
    with pytest.raises(VoiceError, match="does not fit its base"):
        check(learner, voice)


def test_saving_again_replaces_and_a_failed_proof_leaves_what_was_there(
    learner: Learner, tiny_base: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "voice"
    save(learner, folder)
    before = (folder / ADAPTER_FILE).read_bytes()
    fresh = make_learner(Start(find_base(str(tiny_base))), toy_settings(), "fp32", "cpu", seed=7)
    with pytest.raises(GuardError):
        save(fresh, folder)
    assert (folder / ADAPTER_FILE).read_bytes() == before
    save(learner, folder)
    assert (folder / ADAPTER_FILE).read_bytes() == before, "the same weights, the same bytes"


def test_checking_draws_nothing_and_leaves_the_model_training(learner: Learner, voice: Path) -> None:
    learner.model.train()
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    check(learner, voice)
    assert torch.equal(torch.rand(2), expected)
    assert learner.model.training


def test_the_probe_is_the_beginning_of_the_first_row() -> None:
    rows = toy_rows((200,), window=128)
    probe = probe_of(rows)
    assert probe.shape == (1, 64)
    assert probe[0].tolist() == rows.stretches[0].ids[:64].tolist()


WAYS = [
    {},
    {"temperature": 0},
    {"temperature": 0, "num_return_sequences": 2},
    {"num_return_sequences": 3, "top_k": 5, "min_p": 0.1},
    {"num_beams": 3, "num_return_sequences": 2},
    {"num_beams": 2, "temperature": 0, "no_repeat_ngram_size": 3, "repetition_penalty": 1.3},
]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_transformers_writes_by_the_defaults_that_a_voice_carries(
    way: dict[str, object], learner: Learner, saved: Path, tmp_path: Path
) -> None:
    writing = WriteSettings.model_validate({"max_new_tokens": 4} | way)
    (tmp_path / "generation_config.json").write_text(generation_defaults(learner.tokenizer, writing))
    defaults = GenerationConfig.from_pretrained(tmp_path)
    assert defaults.eos_token_id == learner.tokenizer.end_of_text
    assert defaults.do_sample == (writing.temperature > 0 and writing.num_beams == 1)
    if defaults.do_sample:
        assert (defaults.temperature, defaults.top_p) == (writing.temperature, writing.top_p)
    model = AutoPeftModelForCausalLM.from_pretrained(str(saved))
    written = model.generate(input_ids=PROBE[:, :5], generation_config=defaults)
    alone = writing.temperature == 0 and writing.num_beams == 1
    assert len(written) == (1 if alone else writing.num_return_sequences)
    assert written.shape[1] <= 9
