from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import AutoPeftModelForCausalLM
from transformers import AutoModelForCausalLM, GenerationConfig

import quire
from loopback_hub import LoopbackHub, point_client, serve_hub
from quire.errors import BaseModelError, GuardError, OutOfMemory, RecipeError, RunError, Stopped
from quire.model.adapters import load_voice
from quire.model.machine import measure_machine
from quire.planner.bases import find_base
from quire.planner.schedule import learning_rate_at, steps_in
from quire.recipe.bases import advice_for
from quire.recipe.load import load_recipe
from quire.recipe.resolved import load_resolved
from quire.run.atomic import hash_file
from quire.run.events import Event, read_events
from quire.run.folder import RunFolder
from quire.verbs.train import Run, train
from toy import TINY_TRAINING, random_ids, toy_book
from trainedruns import adapter, again, losses, stopping

FULL = {key: value for key, value in TINY_TRAINING.items() if "lora" not in key} | {"train.method": "full"}
PROBE = random_ids(30)


def test_an_optimiser_without_room_for_its_moments_is_no_bug(
    book: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(*_given: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    with pytest.raises(OutOfMemory, match=r"memory ran out .*20.00 GiB"):
        train(book, base=str(tiny_base), run=tmp_path / "run", settings=TINY_TRAINING)
    last = read_events(tmp_path / "run" / "events.jsonl")[-1]
    assert (last.kind, last.step) == ("error", 0)
    assert not RunFolder(tmp_path / "run").crash_file.exists()


def test_the_run_folder_holds_what_it_should(run: Run) -> None:
    there = {path.relative_to(run.path).as_posix() for path in run.path.rglob("*") if path.is_file()}
    voice = {"adapter_model.safetensors", "adapter_config.json", "tokenizer.json", "generation_config.json"}
    assert {f"voice/{name}" for name in (*voice, "README.md")} <= there
    assert {"format", "recipe.yaml", "events.jsonl", "samples.md", "lock", "checkpoints/0000003/manifest.json"} <= there
    assert not [name for name in there if "quire-new" in name or name.endswith((".bin", ".pt"))]
    assert run == Run(run.path, 3)
    assert run.voice == run.path / "voice"


def test_the_recipe_of_the_run_is_resolved_with_versions_and_hashes(run: Run, book: Path, tiny_base: Path) -> None:
    kept = load_resolved(run.path / "recipe.yaml")
    assert kept.sources == {str(book): hash_file(book)}
    assert kept.versions["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert {"quire", "python", "transformers", "peft"} <= set(kept.versions)
    assert kept.decided.base == str(tiny_base)
    (stage,) = kept.decided.stages
    assert (stage.precision, stage.precision_reason) == ("fp32", "as the recipe says")
    assert kept.recipe.train.learning_rate == 5e-3
    assert kept.recipe.seed == 7


def test_events_tell_the_whole_story_in_order(run: Run, heard: list[Event]) -> None:
    events = read_events(run.path / "events.jsonl")
    assert [(e.kind, e.step) for e in heard] == [(e.kind, e.step) for e in events]
    kinds = [event.kind for event in events]
    assert kinds[:3] == ["start", "prepared", "decided"]
    assert kinds[-4:] == ["part_end", "saved", "stage_end", "done"]
    assert [event.step for event in events if event.kind == "step"] == [1, 2, 3]
    step = next(event for event in events if event.kind == "step")
    named = {"loss", "learning_rate", "grad_norm", "tokens", "tokens_per_second", "memory_bytes", "seconds"}
    assert named <= set(step.values)
    saved = next(event for event in events if event.kind == "saved")
    assert saved.values == {"voice": "voice", "sha256": adapter(run.path)}


def test_words_and_tokens_read_are_all_accounted_for(run: Run, book: Path) -> None:
    decided = next(e for e in read_events(run.path / "events.jsonl") if e.kind == "decided").values
    shelf = quire.read(book)
    dropped = sum(len(drop.text.split()) for one in shelf for drop in one.dropped)
    assert sum(decided["words"].values()) == shelf.words + dropped
    assert decided["words"]["trained"] > decided["words"]["test"] > 0
    assert decided["tokens"]["trained"] > decided["tokens"]["validation"] > 0


def test_what_the_plan_warns_of_is_told_before_the_first_step(run: Run, book: Path, tiny_base: Path) -> None:
    events = read_events(run.path / "events.jsonl")
    foreseen = quire.plan(book, base=str(tiny_base), settings=TINY_TRAINING).plan.warnings
    told = [(e.values["text"], e.values["remedy"]) for e in events if e.kind == "warning"]
    assert told == [(warned.text, warned.remedy) for warned in foreseen]
    assert any("too few to change much" in str(text) for text, _ in told)
    kinds = [event.kind for event in events]
    assert len(kinds) - kinds[::-1].index("warning") < kinds.index("part_start") + 1


def test_the_error_that_ends_a_run_is_among_its_events(book: Path, tiny_base: Path, tmp_path: Path) -> None:
    settings = TINY_TRAINING | {"train.learning_rate": 1e30, "train.steps": 20, "train.clip": 0}
    with pytest.raises(GuardError) as caught:
        train(book, base=str(tiny_base), run=tmp_path / "run", settings=settings)
    last = read_events(tmp_path / "run" / "events.jsonl")[-1]
    assert last.kind == "error"
    assert last.values == {"text": caught.value.what, "remedy": caught.value.then}


def test_activations_are_computed_twice_where_memory_is_short(
    book: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = replace(measure_machine(), memory_free_bytes=2**20, gpu_memory_bytes=None)
    monkeypatch.setattr("quire.verbs.stages.decide.measure_machine", lambda: machine)
    done = train(book, base=str(tiny_base), run=tmp_path / "run", settings=TINY_TRAINING)
    kept = load_resolved(done.path / "recipe.yaml")
    (stage,) = kept.decided.stages
    assert stage.checkpointing
    assert kept.recipe.train.checkpointing == "auto"
    assert stage.packs is True
    decided = next(e for e in read_events(done.path / "events.jsonl") if e.kind == "decided").values
    assert decided["activations"] == "computed twice, to save memory"


def test_the_voice_is_what_was_trained_loaded_by_quire_and_by_hand(run: Run, tiny_base: Path) -> None:
    with torch.no_grad():
        voice = load_voice(run.voice, "fp32").model(PROBE).logits
        by_hand = AutoPeftModelForCausalLM.from_pretrained(str(run.voice), dtype=torch.float32)(PROBE).logits
        base = AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float32)(PROBE).logits
    assert torch.equal(voice, by_hand)
    assert not torch.allclose(voice, base)
    assert GenerationConfig.from_pretrained(run.voice).max_new_tokens == 6
    assert "river" in (run.voice / "README.md").read_text().casefold()


def test_samples_of_the_fixed_prompts_are_kept(run: Run) -> None:
    events = [event for event in read_events(run.path / "events.jsonl") if event.kind == "sample"]
    text = (run.path / "samples.md").read_text()
    assert events
    for event in events:
        assert str(event.values["prompt"]).strip() in text
        assert event.values["seed"] == 7


def test_the_learning_rate_of_the_setting_arrives_at_every_step(run: Run) -> None:
    settings = load_recipe(run.path / "recipe.yaml").recipe.train
    rates = [e.values["learning_rate"] for e in read_events(run.path / "events.jsonl") if e.kind == "step"]
    assert rates == [learning_rate_at(number, 3, settings) for number in range(3)]
    assert max(rates) == 5e-3


def test_full_training_leaves_a_whole_model(book: Path, tiny_base: Path, tmp_path: Path) -> None:
    done = train(book, base=str(tiny_base), run=tmp_path / "run", settings=FULL)
    by_hand = AutoModelForCausalLM.from_pretrained(done.voice, dtype=torch.float32)
    base = AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float32)
    with torch.no_grad():
        voice = load_voice(done.voice, "fp32").model(PROBE).logits
        assert torch.equal(by_hand(PROBE).logits, voice)
        assert not torch.equal(base(PROBE).logits, voice)
    assert not (done.voice / "adapter_config.json").exists()


FRESH = {
    "fresh": {
        "hidden": 16,
        "layers": 1,
        "heads": 2,
        "key_value_heads": 1,
        "intermediate": 16,
        "positions": 64,
        "vocabulary": 300,
    }
}


def test_a_base_from_nothing_is_made_once_trained_and_resumed_exactly(tmp_path: Path) -> None:
    book = toy_book(tmp_path / "river.md")
    settings = FULL | {"base": FRESH}
    straight = train(book, run=tmp_path / "straight", settings=settings)
    with pytest.raises(Stopped):
        train(book, run=tmp_path / "run", settings=settings, listener=stopping("step", 2))
    made = hash_file(tmp_path / "run" / "base" / "model.safetensors")
    done = train(book, run=tmp_path / "run", settings=settings)
    assert hash_file(done.path / "base" / "model.safetensors") == made
    assert hash_file(done.voice / "model.safetensors") == hash_file(straight.voice / "model.safetensors")
    assert losses(done.path) == losses(straight.path)


def test_a_run_in_use_names_the_process(run: Run, tmp_path: Path) -> None:
    place = again(run, tmp_path / "run")
    script = "import sys, time\nfrom pathlib import Path\nfrom quire.run.lock import hold\n"
    script += "with hold(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(place / "lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunError, match=f"in use by process {holder.pid}"):
            train(place)
    finally:
        holder.communicate("")
    assert train(place).already_finished


def test_nothing_held_out_for_validation_is_refused_before_anything_is_loaded(book: Path, tmp_path: Path) -> None:
    recipe = {"base": "no/base-of-this-name", "shelf": [{"path": str(book), "validation": 0}]}
    with pytest.raises(RecipeError, match="no text is held out for validation"):
        train(load_recipe(recipe, TINY_TRAINING).recipe, run=tmp_path / "run")
    assert losses(tmp_path / "run") == []


def test_a_way_of_writing_that_cannot_be_is_refused_before_training(
    book: Path, tiny_base: Path, tmp_path: Path
) -> None:
    settings = TINY_TRAINING | {"write.num_beams": 3, "write.temperature": 0.9}
    with pytest.raises(RecipeError, match=r"write\.num_beams"):
        train(book, base=str(tiny_base), run=tmp_path / "run", settings=settings)
    assert losses(tmp_path / "run") == []


def test_sampling_on_the_way_changes_nothing_of_what_is_learned(
    run: Run, book: Path, tiny_base: Path, tmp_path: Path
) -> None:
    more = TINY_TRAINING | {"judge.prompts": ["One.", "Two.", "Three."], "write.max_new_tokens": 20}
    other = train(book, base=str(tiny_base), run=tmp_path / "run", settings=more)
    assert adapter(other.path) == adapter(run.path)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    with serve_hub() as served:
        point_client(monkeypatch, served.url, tmp_path / "cache")
        yield served


NAME = "someone/a-base"


def test_a_hub_base_is_fetched_trained_on_and_its_voice_loads_offline(
    hub: LoopbackHub, run: Run, book: Path, tiny_base: Path, tmp_path: Path
) -> None:
    hub.repos[NAME] = tiny_base
    done = train(book, base=NAME, run=tmp_path / "run", settings=TINY_TRAINING)
    assert json.loads((done.voice / "adapter_config.json").read_text())["base_model_name_or_path"] == NAME
    assert load_resolved(done.path / "recipe.yaml").decided.base_revision == hub.commit(NAME)
    assert adapter(done.path) == adapter(run.path), "the same base from another place"
    hub.repos.clear()
    with torch.no_grad():
        assert torch.equal(
            load_voice(done.voice, "fp32").model(PROBE).logits, load_voice(run.voice, "fp32").model(PROBE).logits
        )
    assert "".join(quire.write(done, "The door", settings={"write.max_new_tokens": 3}))


def test_a_gated_and_an_unknown_base_are_named(hub: LoopbackHub, book: Path, tiny_base: Path, tmp_path: Path) -> None:
    hub.repos[NAME] = tiny_base
    hub.gated.add(NAME)
    with pytest.raises(BaseModelError, match=f"{NAME} is gated"):
        train(book, base=NAME, run=tmp_path / "run", settings=TINY_TRAINING)
    with pytest.raises(BaseModelError, match="knows no base someone/nothing"):
        train(book, base="someone/nothing", run=tmp_path / "run", settings=TINY_TRAINING)
    hub.gated.clear()
    assert train(book, base=NAME, run=tmp_path / "run", settings=TINY_TRAINING).steps == 3, "nothing stands in the way"


def test_every_kind_of_source_comes_to_the_same_training(
    run: Run, book: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe_file = tmp_path / "recipe.yaml"
    recipe_file.write_text(f"base: {tiny_base}\nshelf: [{{path: {book}}}]\n")
    monkeypatch.chdir(book.parent)
    sources = [book.name, quire.read(book), load_recipe(recipe_file).recipe, recipe_file]
    for number, source in enumerate(sources):
        done = train(source, base=str(tiny_base), run=tmp_path / str(number), settings=TINY_TRAINING)
        assert adapter(done.path) == adapter(run.path)


def test_a_run_without_a_name_lies_under_runs_and_is_found_by_it(
    book: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = train(book, base=str(tiny_base), settings=TINY_TRAINING)
    assert done.path == Path("runs/river")
    assert train("river").already_finished
    assert RunFolder(done.path).has_voice


def test_epochs_rows_and_steps_are_those_of_the_plan(book: Path, tiny_base: Path, tmp_path: Path) -> None:
    settings = {key: value for key, value in TINY_TRAINING.items() if key != "train.steps"} | {"train.epochs": 1}
    done = train(book, base=str(tiny_base), run=tmp_path / "run", settings=settings)
    start = next(e for e in read_events(done.path / "events.jsonl") if e.kind == "part_start")
    assert done.steps == start.values["steps"] == steps_in(start.values["rows"], 4, 1, epochs=1)


def test_auto_takes_a_cached_base_with_the_settings_that_suit_it_and_resumes_with_them(
    hub: LoopbackHub, book: Path, tiny_base: Path, tmp_path: Path
) -> None:
    known = "HuggingFaceTB/SmolLM2-135M"
    hub.repos[known] = tiny_base
    find_base(known, download=True)
    settings = {key: value for key, value in TINY_TRAINING.items() if key != "train.learning_rate"}
    with pytest.raises(Stopped):
        train(book, run=tmp_path / "run", settings=settings, listener=stopping("step", 1))
    kept = load_resolved(tmp_path / "run" / "recipe.yaml")
    assert kept.decided.base == known
    assert kept.recipe.train.learning_rate == advice_for(known)["train.learning_rate"].value
    assert train(book, run=tmp_path / "run", settings=settings).steps == 3
