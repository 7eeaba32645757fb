"""The peers' benchmark, as far as it can be tested without the environments of the peers."""

import json
import py_compile
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.peers import environments, hf_trainer, lineup, material, quire_train, results
from benchmarks.peers import meter as meters
from benchmarks.peers.__main__ import keep, surroundings
from benchmarks.peers.job import Job, job_of_command_line, seek_windows

HERE = Path(hf_trainer.__file__).parent
JOB = Job("base", "book.txt", "out", 1024, 4, 1, 8, 16, ("q_proj", "v_proj"), "bf16")


def outcome(entrant: str, number: int, rate: float, others: float | None = 0.0) -> results.Outcome:
    told = {"undisturbed": rate + 1, "tokens_per_core_second": rate / 2}
    return results.Outcome(entrant, number, rate, 10**9, others, told)


def on_gpu(entrant: str, number: int, rate: float, gigabytes: int) -> results.Outcome:
    made = outcome(entrant, number, rate)
    return replace(made, told={**made.told, "notes": {"gpu_peak_bytes": gigabytes * 10**9}})


class TestCounting:
    def test_padding_and_the_first_token_of_a_row_are_not_counted(self):
        assert meters.targets_in([[5, 6, 7, -100], [5, -100, 7, 8]]) == 4

    def test_batches_taken_ahead_are_counted_with_their_own_step(self):
        class Labels(list):
            def tolist(self):
                return list(self)

        meter = meters.Meter()
        collate = meter.counting(lambda rows: {"labels": Labels(rows)})
        for length in (5, 3, 9):
            collate([[1] * length])
        meter.step_done()
        meter.step_done()
        assert meter.tokens == [4, 2]

    def test_the_rate_leaves_out_the_warm_up(self):
        meter = meters.Meter()
        meter.tokens, meter.times = [100, 10, 30], [50.0, 51.0, 52.0]
        assert meter.rate(1) == (40, 2.0)
        with pytest.raises(ValueError, match="3 steps"):
            meter.rate(3)

    def test_the_undisturbed_rate_is_that_of_the_quicker_half(self):
        meter = meters.Meter()
        meter.tokens, meter.times = [9, 10, 10, 10], [0.0, 1.0, 11.0, 13.0]
        assert meter.undisturbed(1) == pytest.approx(20 / 3)

    def test_what_is_said_is_found_among_what_is_printed(self, capsys):
        meter = meters.Meter()
        meter.tokens, meter.times, meter.worked, meter.losses = [8, 8], [1.0, 3.0], [2.0, 6.0], [2.00004, 1.5]
        meter.say(1, threads=2, packages=["pytest", "no-such-package"], notes={"precision": "bf16"})
        told = meters.said("step 1\n" + capsys.readouterr().out + "bye\n")
        assert told["tokens_per_second"] == 4.0
        assert told["tokens_per_core_second"] == 2.0
        assert told["losses"] == [2.0, 1.5]
        assert told["versions"].keys() == {"python", "pytest"}
        assert told["peak_bytes"] > 1e6

    def test_silence_is_an_error(self):
        with pytest.raises(ValueError, match="without a word"):
            meters.said("Loading weights\n")


class TestResults:
    def test_ratios_are_taken_round_by_round(self):
        found = results.ratios([outcome("hf", 1, 50), outcome("quire", 1, 100), outcome("hf", 2, 80)])
        assert found == {"hf": [2.0]}

    def test_ratios_by_work_leave_out_the_time_spent_waiting(self):
        waited = replace(outcome("quire", 1, 10), told={"tokens_per_core_second": 100, "undisturbed": 10})
        assert results.ratios([outcome("hf", 1, 50), waited], by_work=True) == {"hf": [4.0]}

    def test_a_trainer_is_summed_up_over_all_rounds(self):
        rounds = [outcome("hf", 1, 50), outcome("quire", 1, 100), outcome("hf", 2, 60, 0.5), outcome("quire", 2, 90)]
        hf, quire = results.summary(rounds)
        assert hf["quire_times"] == [2.0, 1.5]
        assert hf["quire_times_median"] == 1.75
        assert (hf["median"], hf["undisturbed"], hf["others"]) == (55.0, 61.0, 0.5)
        assert quire["quire_times_median"] is None

    def test_the_table_has_a_line_for_each_trainer(self):
        lines = results.table(results.summary([outcome("hf", 1, 50, None), outcome("quire", 1, 100)])).splitlines()
        assert [line.split()[0] for line in lines] == ["trainer", "hf", "quire"]
        assert "2.00 ×" in lines[1]

    def test_other_shapes_stay_in_the_file(self, tmp_path):
        target = tmp_path / "peers.json"
        for name in ("a", "b", "a"):
            keep(name, results.to_json([outcome("hf", 1, 50)], {"shape": name}), target)
        assert json.loads(target.read_text()).keys() == {"a", "b"}

    def test_memory_and_speed_in_one_are_told_where_a_gpu_computed(self):
        rounds = [
            on_gpu("unsloth-nf4", 1, 100.0, 10), on_gpu("quire-nf4", 1, 90.0, 6), on_gpu("quire", 1, 300.0, 20),
            on_gpu("unsloth-nf4", 2, 120.0, 10), on_gpu("quire-nf4", 2, 96.0, 8), on_gpu("unsloth", 2, 200.0, 20),
        ]  # fmt: skip
        rows = {row["trainer"]: row for row in results.summary(rounds)}
        ours = rows["quire-nf4"]
        assert (ours["gpu_peak_bytes"], ours["tokens_per_second_per_gb"]) == (8 * 10**9, 13.5)
        assert ours["product_times_unsloth"] == [1.5, 1.0]
        assert ours["product_times_unsloth_median"] == 1.25
        assert rows["unsloth-nf4"]["product_times_unsloth"] == []
        assert rows["quire"]["product_times_unsloth"] == []  # no round has both in bf16
        lines = results.table(results.summary(rounds)).splitlines()
        assert lines[0].endswith("of Unsloth's")
        assert [line.split()[-2:] for line in lines if line.startswith("quire-nf4")] == [["1.25", "×"]]

    def test_nothing_of_a_gpu_is_told_where_there_is_none(self):
        rows = results.summary([outcome("unsloth", 1, 50), outcome("quire", 1, 100)])
        assert {(row["gpu_peak_bytes"], row["tokens_per_second_per_gb"]) for row in rows} == {(None, None)}
        assert "GPU" not in results.table(rows)

    def test_others_use_a_share_of_the_machine(self):
        others = results.Onlooker().others()
        assert others is None or others >= 0


class TestLineup:
    def test_a_round_runs_the_peers_in_one_order(self):
        chosen = lineup.entrants("cpu", lineup.SHAPES["135M"], ["quire", "hf"])
        assert [one.name for one in chosen] == ["hf", "quire", "quire-int8"]

    def test_nf4_runs_where_a_gpu_trains_8b(self):
        assert "trl-nf4" in [one.name for one in lineup.entrants("cuda", lineup.SHAPES["8B"], lineup.PEERS)]
        assert "trl-nf4" not in [one.name for one in lineup.entrants("cuda", lineup.SHAPES["1B"], lineup.PEERS)]

    def test_an_unknown_peer_is_named(self):
        with pytest.raises(ValueError, match="axolotl"):
            lineup.entrants("cpu", lineup.SHAPES["135M"], ["axolotl"])

    @pytest.mark.parametrize("one", [*lineup.CPU, *lineup.CUDA, *lineup.NF4], ids=lambda one: one.name)
    def test_every_entrant_has_a_script_and_an_environment(self, one):
        py_compile.compile(str(HERE / f"{one.module}.py"), doraise=True)
        assert one.peer == "quire" or environments.steps_of(one.peer, "cpu")[0] == ["install", environments.TORCH]

    def test_the_scripts_load_without_any_library(self):
        """Each is run in an environment that lacks Quire, and most of what the others have."""
        modules = ", ".join(f"benchmarks.peers.{one.module}" for one in lineup.CPU if one.peer != "quire")
        code = f"import {modules}, sys; assert not {{'torch', 'numpy', 'quire'}} & set(sys.modules)"
        subprocess.run([sys.executable, "-S", "-c", code], check=True, cwd=HERE.parents[1])

    def test_recipes_know_the_settings(self):
        from quire.recipe.load import recipe_for

        for precision, method in (("bf16", "lora"), ("int8", "qlora")):
            job = replace(JOB, precision=precision)
            train = recipe_for("sample:novella", quire_train.settings_of(job)).recipe.curriculum[0]
            assert getattr(train.method, method).rank == 8
            assert (train.window, train.steps, train.effective_batch) == (1024, 5, 1)


class TestEnvironments:
    def test_a_cpu_and_a_gpu_have_their_own(self, tmp_path):
        assert environments.folder_of("trl", tmp_path, "cpu") == tmp_path / "trl"
        assert environments.folder_of("trl", tmp_path, "cuda") == tmp_path / "trl-cuda"

    def test_one_that_is_whole_is_not_made_again(self, tmp_path, monkeypatch):
        made = []
        monkeypatch.setattr(environments, "_make", lambda peer, folder, *_: made.append((peer, folder.mkdir())))
        for device in ("cpu", "cuda", "cpu", "cuda"):
            python = environments.python_of("unsloth", tmp_path, device)
            assert python == environments.folder_of("unsloth", tmp_path, device) / "bin" / "python"
        assert made == [("unsloth", None)] * 2
        assert environments.python_of("quire", tmp_path, "cuda") == Path(sys.executable)


class TestMaterial:
    def test_a_job_survives_its_file(self, tmp_path):
        JOB.write(tmp_path / "job.json")
        assert job_of_command_line([str(tmp_path / "job.json")]) == JOB

    def test_windows_are_full_and_begin_again_where_the_text_ends(self):
        assert seek_windows(range(7), 3, 3) == [[0, 1, 2], [3, 4, 5], [0, 1, 2]]
        with pytest.raises(ValueError, match="less than one window"):
            seek_windows([1], 2, 1)

    def test_ten_sentences_make_a_chunk(self):
        text = " ".join(f"Sentence {number}." for number in range(25))
        assert [chunk.count(".") for chunk in hf_trainer.chunks_of(text)] == [10, 10, 5]

    def test_as_many_chunks_as_the_windows_hold(self):
        assert hf_trainer.enough([300] * 100, JOB) == (4, 18)

    def test_an_excerpt_has_whole_paragraphs(self, tmp_path):
        from quire.tokens.make import make_tokenizer

        make_tokenizer(["a b c d e"], 270, tmp_path)
        text = "a b c\n\nd e\n\na a"
        assert material.excerpt(text, tmp_path, 6) == "a b c\n\nd e\n"
        assert material.excerpt(text, tmp_path, 10**6) == text + "\n"

    def test_a_small_base_is_made_in_transformers_layout(self, tmp_path):
        from quire.tokens.make import make_tokenizer

        (tmp_path / "tokenizer").mkdir()
        make_tokenizer(["a b c d e"], 270, tmp_path / "tokenizer")
        code = (
            "from pathlib import Path; from benchmarks.peers.lineup import Shape; from benchmarks.peers.material import"
            " make_base; make_base(Shape('s', 16, 1, 2, 1, 32, 280, True, 1), Path('base'), Path('tokenizer'))"
        )
        command = [sys.executable, "-W", "ignore", "-c", code]
        subprocess.run(command, check=True, cwd=tmp_path, env={"PYTHONPATH": str(HERE.parents[1])})
        config = json.loads((tmp_path / "base" / "config.json").read_text())
        assert (config["vocab_size"], config["tie_word_embeddings"], config["eos_token_id"]) == (280, True, 0)
        assert (tmp_path / "base" / "tokenizer.json").exists()

    def test_novels_stop_at_the_size_asked_for(self, tmp_path):
        import lzma

        with lzma.open(tmp_path / "en-00.jsonl.xz", "wt") as file:
            file.write(json.dumps({"text": "aaaa\n\nbbbb\n\ncccc"}) + "\n")
        assert list(material.novels(5, tmp_path)) == ["aaaa", "bbbb"]

    def test_no_trainer_asks_a_hub(self):
        told = surroundings(JOB, threads=1)
        assert told["HF_HUB_OFFLINE"] == "1"
        assert told["CUDA_VISIBLE_DEVICES"] == ""
        assert told["OMP_NUM_THREADS"] == "1"
