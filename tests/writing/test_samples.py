from __future__ import annotations

from datetime import datetime
from pathlib import Path

from quire.recipe.schema import WriteSettings
from quire.writing.samples import Sample, append_sample, as_markdown

WHEN = datetime(2026, 3, 4, 5, 6)


def test_an_entry_holds_prompt_text_seed_and_settings(tmp_path: Path) -> None:
    file = tmp_path / "samples.md"
    settings = WriteSettings(temperature=0.7, stop=["END"], prompt="ignored here", seed=9)
    append_sample(file, Sample("K. opened\nthe door.", ["He went in."], 9, settings, note="after stage one"), WHEN)
    text = file.read_text(encoding="utf-8")
    assert text == (
        "# Samples\n\nEverything this voice wrote, the newest last.\n"
        "\n## 2026-03-04 05:06 · after stage one · seed 9\n"
        "\n> K. opened\\\n> the door.\n"
        "\nHe went in.\n"
        "\n`max_new_tokens 200, temperature 0.7, top_k 0, top_p 0.95, min_p 0.0, repetition_penalty 1.1, "
        "no_repeat_ngram_size 0, num_beams 1, num_return_sequences 1, stop ['END']`\n"
    )


def test_what_a_killed_run_writes_again_stands_once(tmp_path: Path) -> None:
    file = tmp_path / "samples.md"
    for text in ("one", "one", "two"):
        append_sample(file, Sample("a", [text], 1, WriteSettings(), "after step 3"), once=True)
    append_sample(file, Sample("a", ["one"], 1, WriteSettings(), "after step 4"), WHEN, once=True)
    assert file.read_text(encoding="utf-8").count("## 2") == 3
    append_sample(file, Sample("a", ["one"], 1, WriteSettings(), "after step 4"), WHEN)  # somebody asked again
    assert file.read_text(encoding="utf-8").count("## 2") == 4


def test_later_entries_follow_earlier_ones(tmp_path: Path) -> None:
    file = tmp_path / "samples.md"
    append_sample(file, Sample("", ["one"], 1, WriteSettings()), WHEN)
    first = file.read_bytes()
    append_sample(file, Sample("", ["two", "three"], 2, WriteSettings()), WHEN)
    assert file.read_bytes().startswith(first)
    assert file.read_text(encoding="utf-8").count("# Samples") == 1
    assert "### 1\n\ntwo\n\n### 2\n\nthree\n" in file.read_text(encoding="utf-8")


def test_verse_keeps_its_lines_and_stanzas() -> None:
    assert as_markdown("O rose,\nthou art sick.\n\nThe worm") == "O rose,\\\nthou art sick.\n\nThe worm"


def test_no_mark_of_the_text_becomes_layout() -> None:
    assert as_markdown("# one") == "\\# one"
    assert as_markdown("> two") == "\\> two"
    assert as_markdown("- three") == "\\- three"
    assert as_markdown("1. four") == "1\\. four"
    assert as_markdown("<b>five</b>") == "\\<b>five\\</b>"
    assert as_markdown("— six, dit-il") == "— six, dit-il"


def test_control_characters_do_not_reach_the_file() -> None:
    assert as_markdown("a\x1b[2Jb\tc") == "a[2Jb\tc"
