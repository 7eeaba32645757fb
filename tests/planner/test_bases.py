from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from loopback_hub import LoopbackHub, point_client, serve_hub
from quire.errors import BaseModelError
from quire.planner.bases import BasePick, cached_snapshot, find_base, pick_base
from quire.planner.facts import MachineFacts
from quire.planner.fitting import suiting_bases
from quire.recipe.schema import BaseChoice, TrainSettings

NAME = "someone/a-base"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    with serve_hub() as served:
        point_client(monkeypatch, served.url, tmp_path / "cache")
        yield served


@pytest.fixture
def repo(tmp_path: Path, tiny_base: Path) -> Path:
    """A copy of the tiny base with what hubs hold besides: code, pickles, a second copy of the weights."""
    folder = tmp_path / "repo"
    shutil.copytree(tiny_base, folder)
    (folder / "modeling.py").write_text("raise SystemExit")
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    (folder / "consolidated.safetensors").write_bytes(b"the same again")
    (folder / "original").mkdir()
    (folder / "original" / "params.json").write_text("{}")
    return folder


def test_named_base_is_fetched_once_and_without_code_or_pickles(hub: LoopbackHub, repo: Path) -> None:
    hub.repos[NAME] = repo
    found = find_base(NAME, download=True)
    assert (found.name, found.kind, found.revision) == (NAME, "hub", hub.commit(NAME))
    names = {path.name for path in found.path.iterdir()}
    assert {"config.json", "tokenizer.json", "model.safetensors"} <= names
    assert not names & {"modeling.py", "pytorch_model.bin", "consolidated.safetensors", "original"}
    hub.repos.clear()
    hub.fetched.clear()
    assert find_base(NAME) == find_base(NAME, download=True) == found
    assert hub.fetched == []


def test_plan_fetches_no_weights(hub: LoopbackHub, repo: Path) -> None:
    hub.repos[NAME] = repo
    found = find_base(NAME, download=True, weights=False)
    assert (found.path / "config.json").is_file()
    assert not [name for name in hub.fetched if name.endswith(".safetensors")]
    assert cached_snapshot(NAME) is None
    assert cached_snapshot(NAME, weights=False) == found.path


def test_every_shard_of_large_weights_is_fetched(hub: LoopbackHub, repo: Path) -> None:
    (repo / "model.safetensors").rename(repo / "model-00001-of-00002.safetensors")
    (repo / "model-00002-of-00002.safetensors").write_bytes(b"")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (repo / "model.safetensors.index.json").write_text(json.dumps(index))
    hub.repos[NAME] = repo
    found = find_base(NAME, download=True)
    assert len(list(found.path.glob("*-of-00002.safetensors"))) == 2


def test_base_that_may_not_be_fetched_says_how(hub: LoopbackHub, repo: Path, tmp_path: Path) -> None:
    hub.repos[NAME] = repo
    with pytest.raises(BaseModelError, match=NAME) as caught:
        find_base(NAME)
    assert str(tmp_path / "cache" / "hub") in caught.value.what
    assert "--download" in caught.value.then
    assert "embedded" in caught.value.then


def test_without_network_the_id_the_cache_and_the_ways_out_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point_client(monkeypatch, "http://127.0.0.1:9", tmp_path / "cache")
    with pytest.raises(BaseModelError, match="cannot be reached") as caught:
        find_base(NAME, download=True)
    assert NAME in caught.value.what
    assert str(tmp_path / "cache" / "hub") in caught.value.what
    assert "embedded" in caught.value.then


def test_offline_switch_is_respected(hub: LoopbackHub, repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    hub.repos[NAME] = repo
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(BaseModelError, match="HF_HUB_OFFLINE is set"):
        find_base(NAME, download=True)


def test_gated_base_names_the_page_and_the_log_in(hub: LoopbackHub, repo: Path) -> None:
    hub.repos[NAME] = repo
    hub.gated.add(NAME)
    with pytest.raises(BaseModelError, match="gated") as caught:
        find_base(NAME, download=True)
    assert f"{hub.url}/{NAME}" in caught.value.then
    assert "hf auth login" in caught.value.then


def test_unknown_id_is_named(hub: LoopbackHub) -> None:
    with pytest.raises(BaseModelError, match="knows no base someone/nothing") as caught:
        find_base("someone/nothing", download=True)
    assert "spelling" in caught.value.then


def test_pickles_are_refused_by_name_on_the_hub_and_in_a_folder(hub: LoopbackHub, repo: Path) -> None:
    (repo / "model.safetensors").unlink()
    (repo / "consolidated.safetensors").unlink()
    hub.repos[NAME] = repo
    for name in (NAME, str(repo)):
        with pytest.raises(BaseModelError, match=r"only as pytorch_model\.bin"):
            find_base(name, download=True)
    assert f"{NAME}/pytorch_model.bin" not in hub.fetched


def test_repository_of_something_else_is_refused(hub: LoopbackHub, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "README.md").write_text("a data set")
    hub.repos[NAME] = tmp_path / "other"
    with pytest.raises(BaseModelError, match=r"no config\.json"):
        find_base(NAME, download=True)


def test_folder_is_used_as_it_lies(tiny_base: Path) -> None:
    found = find_base(str(tiny_base))
    assert (found.path, found.kind, found.revision) == (tiny_base, "folder", "")


def test_folder_that_is_no_base_is_refused(tmp_path: Path, repo: Path) -> None:
    with pytest.raises(BaseModelError, match=r"no config\.json"):
        find_base(str(tmp_path))
    (repo / "pytorch_model.bin").unlink()
    (repo / "model.safetensors").unlink()
    with pytest.raises(BaseModelError, match=r"lacks model\.safetensors"):
        find_base(str(repo))


@pytest.mark.parametrize(
    ("text", "why"), [('{"weight_map": {"a": "mod', "not valid JSON"), ("{}", "does not say"), ("[]", "does not say")]
)
def test_a_torn_list_of_weights_is_named(text: str, why: str, hub: LoopbackHub, repo: Path) -> None:
    hub.repos["HuggingFaceTB/SmolLM2-135M"] = repo
    cached = find_base("HuggingFaceTB/SmolLM2-135M", download=True).path
    for folder in (repo, cached):
        (folder / "model.safetensors.index.json").write_text(text)
        with pytest.raises(BaseModelError, match=why):
            find_base(str(folder))
    assert pick_base("auto", "en").name == "embedded", "one that is damaged is passed over"


@pytest.mark.parametrize("name", ["/no/such/folder", "./novel", "novel.epub", "a/b/c", "../up", "two words"])
def test_what_can_be_no_hub_id_is_not_asked_for(name: str, hub: LoopbackHub) -> None:
    with pytest.raises(BaseModelError, match="neither a folder here nor a hub id"):
        find_base(name, download=True)


GIB = 2**30


def machine(memory: float, free: float | None = None, gpu: float | None = None) -> MachineFacts:
    """A machine by its gibibytes; its processor multiplies bf16 itself."""
    room = memory if free is None else free
    name = None if gpu is None else "a GPU"
    facts = MachineFacts(4, round(memory * GIB), round(room * GIB), 2**40, native=("fp32", "bf16"), gpu=name)
    return facts if gpu is None else replace(facts, gpu_memory_bytes=round(gpu * GIB), gpus=1)


def offered(language: str, facts: MachineFacts, *stages: dict[str, object]) -> tuple[str, str | None]:
    """The first base that `auto` would fetch, and the format that it needs."""
    settings = [TrainSettings.model_validate(stage) for stage in stages or ({},)]
    first = next(suiting_bases(language, facts, settings), None)
    return ("embedded", None) if first is None else (first.known.name, first.precision)


def test_auto_is_the_embedded_base_where_nothing_is_cached(hub: LoopbackHub) -> None:
    pick = pick_base("auto", "en")
    assert (pick.name, pick.download) == ("embedded", False)
    assert "--download" in pick.reason


def test_auto_takes_a_cached_base_that_suits(hub: LoopbackHub, repo: Path) -> None:
    hub.repos["HuggingFaceTB/SmolLM2-135M"] = repo
    find_base("HuggingFaceTB/SmolLM2-135M", download=True)
    assert pick_base("auto", "en").name == "HuggingFaceTB/SmolLM2-135M"
    assert pick_base("auto", "fr").name == "embedded"


@pytest.mark.parametrize(
    ("language", "facts", "expected"),
    [
        ("fr", machine(64, gpu=24), ("Qwen/Qwen3-4B-Base", None)),
        ("fr", machine(64, gpu=8), ("Qwen/Qwen3-4B-Base", "nf4")),
        ("fr", machine(15.5, 13), ("Qwen/Qwen2.5-1.5B", None)),
        ("en", machine(15.5, 13), ("Qwen/Qwen2.5-1.5B", None)),
        ("en", machine(7.7, 4.2), ("Qwen/Qwen2.5-1.5B", "int8")),
        ("en", machine(3.8, 3), ("HuggingFaceTB/SmolLM2-360M", None)),
        ("en", machine(3.8, 1.5), ("HuggingFaceTB/SmolLM2-135M", None)),
        ("fr", machine(3.8, 2), ("embedded", None)),
        ("xx", machine(64, gpu=24), ("embedded", None)),
    ],
)
def test_auto_goes_by_language_memory_and_device(
    language: str, facts: MachineFacts, expected: tuple[str, str | None]
) -> None:
    assert offered(language, facts) == expected


def test_auto_steps_down_to_what_fits_every_stage() -> None:
    full: dict[str, object] = {"method": "full"}
    assert offered("en", machine(15.5, 13), full)[0] == "Qwen/Qwen2.5-0.5B"
    assert offered("en", machine(15.5, 13), {}, full) == offered("en", machine(15.5, 13), full)
    tight = machine(15.5, 4.2)
    assert offered("en", tight) == ("Qwen/Qwen2.5-1.5B", "int8")
    assert offered("en", tight, full) == ("HuggingFaceTB/SmolLM2-135M", None)  # all weights learn: none lies in 8 bits


def test_auto_fetches_only_when_allowed_and_says_why(hub: LoopbackHub, repo: Path) -> None:
    hub.repos["Qwen/Qwen2.5-1.5B"] = repo
    pick = pick_base("auto", "fr", machine(15.5, 13), download=True)
    assert (pick.name, pick.download, pick.precision) == ("Qwen/Qwen2.5-1.5B", True, None)
    assert "knows fr" in pick.reason
    assert "13.0 GiB" in pick.reason
    assert not [name for name in hub.fetched if name.endswith(".safetensors")]
    assert pick_base("auto", "fr", machine(15.5, 13)).name == "embedded"


def test_what_the_hub_no_longer_has_is_passed_over(hub: LoopbackHub, repo: Path) -> None:
    hub.repos["Qwen/Qwen2.5-0.5B"] = repo
    assert pick_base("auto", "fr", machine(15.5, 13), download=True).name == "Qwen/Qwen2.5-0.5B"
    assert pick_base("auto", "nl", machine(15.5, 13), download=True).name == "embedded"


def test_without_a_network_auto_is_the_embedded_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    point_client(monkeypatch, "http://127.0.0.1:9", tmp_path / "cache")
    pick = pick_base("auto", "fr", machine(15.5, 13), download=True)
    assert (pick.name, pick.download) == ("embedded", False)
    assert "cannot be reached" in pick.reason


def test_a_base_that_fits_only_in_few_bits_advises_them() -> None:
    pick = BasePick("a-base", "because", True, "int8")
    assert {key: advised.value for key, advised in pick.advice().items()} == {"train.precision": "int8"}
    assert list(pick.advice(["one", "two"])) == ["stages.one.precision", "stages.two.precision"]
    assert BasePick("a-base", "because", True).advice() == {}


def test_recipe_can_name_one_base_for_each_kind_of_machine() -> None:
    choice = BaseChoice(gpu="large", cpu="small")
    assert pick_base(choice, machine=machine(16, gpu=24)).name == "large"
    assert pick_base(choice).name == "small"
    assert pick_base("as/named").download
