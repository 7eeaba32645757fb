from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from quire.errors import RecipeError, RunError
from quire.judging.held_out import held_out
from quire.judging.report import Report
from quire.model.base import load_base
from quire.model.scoring import score_blocks
from quire.planner.bases import find_base
from quire.recipe.load import load_recipe
from quire.run.events import Event
from quire.run.folder import RunFolder
from quire.run.results import read_results
from quire.verbs.judge import judge
from quire.verbs.texts.material import gather
from quire.verbs.train import Run, train
from toy import varied_book

TINY = {
    "train.window": 64,
    "train.steps": 3,
    "train.precision": "fp32",
    "train.learning_rate": 5e-3,
    "train.method.lora.rank": 4,
    "write.max_new_tokens": 24,
}
SENTENCES = (
    "The ferryman opened the door and looked at the water for a long time.",
    "You ask me why we do not go on, she said to the clerk.",
    "We do not go on because the river is not there any more.",
    "Nobody in the village had seen it leave, and nobody would say so.",
)


def write_book(path: Path) -> Path:
    """Twelve chapters of the same few sentences, in changing order."""
    chapters = []
    for number in range(12):
        turned = SENTENCES[number % 4 :] + SENTENCES[: number % 4]
        paragraphs = [" ".join(turned) for _ in range(4)]
        chapters.append(f"# Chapter {number + 1}\n\n" + "\n\n".join(paragraphs))
    path.write_text("\n\n".join(chapters) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    home = tmp_path_factory.mktemp("judged")
    return train(write_book(home / "river.md"), base=str(tiny_base), run=home / "runs" / "river", settings=TINY)


@pytest.fixture(scope="module")
def heard() -> list[Event]:
    return []


@pytest.fixture(scope="module")
def report(run: Run, heard: list[Event]) -> Report:
    return judge(run, listener=heard.append)


def test_base_and_voice_are_told_apart_on_held_out_text(report: Report) -> None:
    bits = report.finding("bits per byte")
    assert bits.value is not None
    assert bits.compared_with[0].name == "base"
    assert bits.value != bits.compared_with[0].value
    assert bits.details["tokens"] > 0


def test_the_base_is_scored_as_if_it_had_never_worn_the_adapter(report: Report, run: Run, tiny_base: Path) -> None:
    base = load_base(find_base(str(tiny_base)), "fp32")
    material = gather(load_recipe(run.path / "recipe.yaml").recipe)
    blocks = score_blocks(base.model, base.tokenizer, held_out(material.shelf, material.passages).texts, window=64)
    expected = sum(block.nats for block in blocks) / sum(block.bytes for block in blocks) / math.log(2)
    assert report.finding("bits per byte").compared_with[0].value == pytest.approx(expected, rel=1e-6)


def test_the_same_prompts_are_continued_by_base_voice_and_book(report: Report) -> None:
    assert report.samples
    for sample in report.samples:
        assert sample.voice != sample.base
        assert sample.prompt.strip()
        assert any(sentence[:20] in sample.prompt + sample.human for sentence in SENTENCES)


def test_copying_is_measured_against_base_and_held_out_text(report: Report) -> None:
    longest = report.finding("longest copied run")
    base, human = longest.compared_with
    assert (base.name, human.name) == ("base", "held-out text")
    assert human.value >= 5, "this book repeats itself"


def test_the_report_lies_in_the_run_with_its_numbers(report: Report, run: Run) -> None:
    folder = RunFolder(run.path)
    assert report.folder == folder.report
    data = json.loads((folder.report / "report.json").read_text(encoding="utf-8"))
    facts = data["facts"]
    assert facts["settings"]["train.learning_rate"] == 5e-3
    assert sum(facts["words"].values()) >= 12 * 4 * 40
    assert facts["tokens"]["trained"] > facts["tokens"]["test"] > 0
    assert len(data["curve"]["loss"]) == 3
    assert "River" in report.page.read_text(encoding="utf-8") or "river" in report.page.read_text(encoding="utf-8")


def test_the_table_of_runs_gets_a_line(report: Report, run: Run, tiny_base: Path) -> None:
    (line,) = read_results(run.path.parent)
    assert line["run"] == "river"
    assert float(line["bits_per_byte"]) == report.finding("bits per byte").value
    assert line["base"] == tiny_base.name, "the base that was decided on, by its name"


def test_progress_is_told_up_to_the_end(report: Report, heard: list[Event]) -> None:
    last = {event.values["doing"]: event.values for event in heard if event.kind == "judging"}
    tasks = ("reads held-out text", "writes", "reads trained pages", "reads unseen pages")
    assert list(last) == [f"the {who} {task}" for who in ("voice", "base") for task in tasks]
    assert all(values["done"] == values["total"] for values in last.values())


def test_judging_twice_gives_the_same_numbers_and_texts(report: Report, run: Run) -> None:
    again = judge(run.path)
    assert again.findings == report.findings
    assert again.samples == report.samples


def test_prompts_and_questions_can_be_set_by_hand(run: Run) -> None:
    report = judge(run, settings={"judge.prompts": ["K. opened the door."], "judge.questions": ["copying"]})
    assert [sample.prompt for sample in report.samples] == ["K. opened the door."]
    assert report.samples[0].human == ""
    assert {finding.question for finding in report.findings} == {"copying"}
    assert [other.name for other in report.findings[0].compared_with] == ["base", "held-out text"]


def test_a_fully_trained_voice_is_judged_against_its_base_from_disk(tiny_base: Path, tmp_path: Path) -> None:
    settings = {key: value for key, value in TINY.items() if "lora" not in key} | {"train.method": "full"}
    book = write_book(tmp_path / "river.md")
    run = train(book, base=str(tiny_base), run=tmp_path / "run", settings=settings)
    bits = judge(run).finding("bits per byte")
    assert bits.value < bits.compared_with[0].value
    assert (run.path / "report" / "results.csv").is_file()
    assert not (tmp_path / "results.csv").exists(), "only a folder named runs gets a table"


def test_a_run_that_went_on_from_another_is_judged_by_its_own_book(run: Run, tmp_path: Path) -> None:
    settings = {key: value for key, value in TINY.items() if "lora" not in key} | {"from": str(run.path)}
    book = varied_book(tmp_path / "second.md")
    second = train(book, run=tmp_path / "second", settings=settings)
    quick = {"judge.questions": ["copying"], "judge.prompts": ["K. opened the door."]}
    assert {finding.question for finding in judge(second, settings=quick).findings} == {"copying"}
    book.write_text(book.read_text(encoding="utf-8") + "\n\nOne more line.\n", encoding="utf-8")
    with pytest.raises(RunError, match=r"second\.md is not what"):
        judge(second, settings=quick)


def test_a_changed_book_is_refused_by_name(tiny_base: Path, tmp_path: Path) -> None:
    book = write_book(tmp_path / "river.md")
    run = train(book, base=str(tiny_base), run=tmp_path / "run", settings=TINY)
    book.write_text(book.read_text(encoding="utf-8") + "\n\nOne more line.\n", encoding="utf-8")
    with pytest.raises(RunError, match=r"river\.md is not what"):
        judge(run)


def test_a_voice_without_its_run_is_refused(run: Run, tmp_path: Path) -> None:
    voice = tmp_path / "alone"
    voice.mkdir()
    for file in run.voice.iterdir():
        (voice / file.name).write_bytes(file.read_bytes())
    with pytest.raises(RunError, match="without its run"):
        judge(voice)


def test_settings_of_the_training_say_nothing_to_a_judge(run: Run) -> None:
    with pytest.raises(RecipeError, match=r"train\.epochs says nothing here"):
        judge(run, settings={"train.epochs": 1})


def test_a_judge_without_a_question_is_refused(run: Run) -> None:
    with pytest.raises(RecipeError, match=r"judge\.questions"):
        judge(run, settings={"judge.questions": []})
