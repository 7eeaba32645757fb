from __future__ import annotations

import csv
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from quire.judging.continuations import Continuation
from quire.judging.report import Facts, Report, read_report, write_report
from quire.run.events import Event
from quire.run.finding import Compared, Finding

FINDINGS = (
    Finding(
        "loss",
        "bits per byte",
        1.52,
        "bits per byte",
        1.5,
        1.55,
        (Compared("base", 1.61, 1.6, 1.62),),
        "The voice predicts better.",
        {
            "relative_difference": [-0.0559, -0.06, -0.048],
            "by_unit": [
                {"name": "I <i>", "bytes": 9, "base": 1.6, "voice": 1.5},
                {"name": "II", "bytes": 9, "base": 1.7, "voice": 1.6},
            ],
        },
    ),
    Finding("loss", "perplexity", 20.5, "", None, None, (Compared("base", 24.0),), "The perplexity is 20.5."),
    Finding(
        "copying",
        "longest copied span",
        6.0,
        "words",
        None,
        None,
        (Compared("base", 2.0), Compared("held-out text", 5.0)),
        "Six words.",
        {"spans": [{"sample": 0, "start": 4, "stop": 13, "words": 3, "where": "Chapter 2 & 3"}]},
    ),
)
SAMPLES = (
    Continuation("A <script>alert(1)</script> prompt", 7, "base text", "the door &\n\nstood open", "human <b>text</b>"),
    Continuation("O rose,\nthou", 8, "x", "line one\nline two", ""),
)
FACTS = Facts(
    run="castle",
    title="The <Castle>",
    base="embedded",
    method="LoRA",
    words={"trained": 100, "test": 10, "dropped": 1},
    tokens={"trained": 130, "test": 14, "dropped": 2},
    dropped=(("running head", 1),),
    settings={"train.learning_rate": 0.0002, "write.stop": [], "judge.prompts": ["a", "b"]},
)
EVENTS = tuple(Event(0.0, "step", "", 0, i, {"loss": 4 - i / 50, "learning_rate": 1e-4}) for i in range(1, 51))


class Page(HTMLParser):
    """Tags, what asks for another file, and text, of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.asked: list[str] = []
        self.text: list[str] = []
        self.marked: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.asked += [str(value) for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]
        if tag not in ("meta", "br", "link", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if "mark" in self.open:
            self.marked.append(data)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return write_report(tmp_path_factory.mktemp("run") / "report", FINDINGS, EVENTS, SAMPLES, FACTS)


@pytest.fixture(scope="module")
def page(report: Report) -> Page:
    return Page(report.page.read_text(encoding="utf-8"))


def test_what_is_written_is_read_again(report: Report) -> None:
    assert read_report(report.folder) == report


def test_the_page_asks_for_no_other_file(report: Report, page: Page) -> None:
    html = report.page.read_text(encoding="utf-8")
    assert page.asked == []
    assert {"script", "link", "img", "iframe"}.isdisjoint(page.tags)
    assert "url(" not in html
    assert "@import" not in html
    assert "http" not in html.replace("http-equiv", "")


def test_every_tag_is_closed_and_every_text_escaped(report: Report, page: Page) -> None:
    assert page.open == []
    text = "".join(page.text)
    for expected in ("<script>alert(1)</script>", "The <Castle>", "human <b>text</b>", "I <i>"):
        assert expected in text


def test_verdicts_stand_first_one_for_each_question(page: Page) -> None:
    text = "".join(page.text)
    first = text.index("The voice predicts better.")
    assert first < text.index("Six words.") < text.index("The same words, continued") < text.index("bits per byte")
    assert "The perplexity is 20.5." not in text


def test_copied_words_are_highlighted_in_the_sample_and_in_the_list(page: Page) -> None:
    assert "".join(page.marked).count("door &") == 2
    assert "stood" not in "".join(page.marked)


def test_a_span_over_two_paragraphs_is_highlighted_in_both() -> None:
    from quire.judging.page import marked

    assert marked("one two\n\nthree four", [(4, 14)]) == "<p>one <mark>two</mark></p><p><mark>three</mark> four</p>"


def test_verse_keeps_its_lines(report: Report) -> None:
    assert "line one<br>line two" in report.page.read_text(encoding="utf-8")


def test_what_was_read_is_the_sum_of_where_it_went(report: Report) -> None:
    html = report.page.read_text(encoding="utf-8")
    assert "<tr><td>trained</td><td>100</td><td>130</td></tr>" in html
    assert "<tr><td>read</td><td>111</td><td>146</td></tr>" in html
    assert "running head (1 word)." in html


def test_the_paired_difference_stands_in_the_table(page: Page) -> None:
    text = "".join(page.text)
    assert "−5.6 %" in text
    assert "−6.0 % … −4.8 %" in text


def test_the_results_are_one_line_with_findings_and_settings(report: Report) -> None:
    with (report.folder / "results.csv").open(encoding="utf-8", newline="") as file:
        (row,) = list(csv.DictReader(file))
    assert row["run"] == "castle"
    assert row["bits_per_byte"] == "1.52"
    assert row["bits_per_byte_base"] == "1.61"
    assert row["longest_copied_span_held-out_text"] == "5.0"
    assert row["perplexity_low"] == ""
    assert row["train.learning_rate"] == "0.0002"


def test_the_json_holds_findings_facts_samples_and_curve(report: Report) -> None:
    data = json.loads((report.folder / "report.json").read_text(encoding="utf-8"))
    assert data["verdicts"] == ["The voice predicts better.", "Six words."]
    assert data["findings"][0]["compared_with"][0] == {"name": "base", "value": 1.61, "low": 1.6, "high": 1.62}
    assert data["curve"]["loss"][0] == [1, 3.98]
    assert data["samples"][1]["voice"] == "line one\nline two"
    assert data["facts"]["tokens"]["test"] == 14


def test_a_later_report_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    write_report(folder, FINDINGS, EVENTS, SAMPLES, FACTS)
    (folder / "old-plot.svg").write_text("old")
    later = write_report(folder, FINDINGS[:1], (), (), FACTS)
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "report.json", "results.csv"]
    assert str(later) == "The voice predicts better."


def test_findings_are_found_by_name(report: Report) -> None:
    assert report.finding("perplexity").value == 20.5
    with pytest.raises(KeyError):
        report.finding("beauty")
