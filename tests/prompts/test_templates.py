"""A base's template: where it lies, and that it can do no harm."""

from __future__ import annotations

import gc
import json
import os
import time
from pathlib import Path

import pytest

from quire.errors import BaseModelError
from quire.prompts.templates import ChatTemplate, Refusal, TemplateWriter, base_name, find_template

HELLO = [{"role": "user", "content": "Hello — là"}]


def writer(text: str, **bounds: int) -> TemplateWriter:
    return TemplateWriter(ChatTemplate("base", text, {"eos_token": "</s>"}), **bounds)


@pytest.mark.parametrize("place", ["config", "several", "jinja", "json"])
def test_a_template_is_found_wherever_bases_have_it(place: str, tmp_path: Path) -> None:
    settings: dict[str, object] = {"eos_token": {"content": "</s>"}, "bos_token": "<s>", "unk_token": None}
    several = [{"name": "tool_use", "template": "no"}, {"name": "default", "template": "T"}]
    if place in ("config", "several"):
        settings["chat_template"] = "T" if place == "config" else several
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    if place == "jinja":
        (tmp_path / "chat_template.jinja").write_text("T", encoding="utf-8")
    if place == "json":
        (tmp_path / "chat_template.json").write_text(json.dumps({"chat_template": "T"}), encoding="utf-8")
    found = find_template(tmp_path)
    assert found == ChatTemplate(tmp_path.name, "T", {"bos_token": "<s>", "eos_token": "</s>"})


def test_a_base_of_the_hub_is_called_by_its_id() -> None:
    assert base_name(Path("hub/models--owner--a-base/snapshots/0a1b2c")) == "owner/a-base"
    assert base_name(Path("bases/mine")) == "mine"


def test_where_there_is_none_there_is_none(tmp_path: Path) -> None:
    assert find_template(tmp_path) is None
    (tmp_path / "tokenizer_config.json").write_text('{"chat_template": " "}', encoding="utf-8")
    assert find_template(tmp_path) is None
    (tmp_path / "tokenizer_config.json").write_text("{", encoding="utf-8")
    with pytest.raises(BaseModelError, match="not valid JSON"):
        find_template(tmp_path)
    (tmp_path / "tokenizer_config.json").unlink()
    (tmp_path / "chat_template.jinja").write_bytes("là".encode("latin-1"))
    with pytest.raises(BaseModelError, match="is not UTF-8"):
        find_template(tmp_path)


def test_a_conversation_is_written_and_the_process_kept(tmp_path: Path) -> None:
    write = writer("{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}{{ add_generation_prompt }}")
    assert write(HELLO, ask=True) == "Hello — là</s>True"
    process = write._process
    assert write(HELLO, ask=False) == "Hello — là</s>False"
    assert write._process is process is not None
    write.close()
    assert process.poll() is not None
    assert write(HELLO, ask=False) == "Hello — là</s>False"


def test_the_process_ends_with_its_writer() -> None:
    write = writer("x")
    write(HELLO, ask=False)
    process = write._process
    assert process is not None
    del write
    gc.collect()
    assert process.poll() is not None


def test_one_that_left_while_it_was_idle_is_started_again() -> None:
    write = writer("{{ messages[0].content }}")
    write(HELLO, ask=False)
    assert write._process is not None
    write._process.kill()
    assert write(HELLO, ask=False) == "Hello — là"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_process_that_is_forked_off_has_its_own_and_leaves_the_other_alone() -> None:
    write = writer("{{ messages[0].content }}")
    write(HELLO, ask=False)
    process = write._process
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if write(HELLO, ask=False) == "Hello — là" and write._process is not process else 2
            write.close()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert process is not None
    assert process.poll() is None
    assert write(HELLO, ask=False) == "Hello — là"


def test_what_a_template_refuses_is_told_in_its_own_words() -> None:
    write = writer("{{ raise_exception('roles\n  must alternate') }}")
    with pytest.raises(Refusal, match=r"^roles must alternate$"):
        write(HELLO, ask=False)


LOOP = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
DOUBLE = "{% set ns = namespace(x='a' * 9999) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (LOOP, "did not come to an end within 1 s"),
        ("{{ 'a' * 900000000 }}", "memory|more than 1,000,000 characters"),
        (DOUBLE, "memory"),
        ("{% for a in range(9999) %}{{ 'words and words ' * 99 }}{% endfor %}", "more than 1,000,000 characters"),
        ("{{ messages.__class__.__mro__ }}", "what no template may"),
        ("{{ ''.__class__.__base__.__subclasses__() }}", "what no template may"),
        ("{{ messages.append('x') }}", "what no template may"),
        ("{{ cycler.__init__.__globals__.os.environ }}", "what no template may"),
        ("{% include 'other' %}", "fails"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "calls itself without end"),
        ("{% if %}", "fails"),
        ("{{ nothing.at.all }}", "fails"),
    ],
)  # fmt: skip
def test_what_does_harm_is_refused_in_one_line(text: str, what: str) -> None:
    write = writer(text, seconds=1, memory=128 * 2**20)
    began = time.monotonic()
    with pytest.raises(BaseModelError, match=what) as caught:
        write(HELLO, ask=False)
    assert caught.value.what.startswith("the chat template of base ")
    assert "\n" not in caught.value.what
    assert time.monotonic() - began < 30


def test_no_secret_of_this_process_is_in_reach_of_a_template(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    write = writer("{{ messages[0].content }}")
    write(HELLO, ask=False)
    assert write._process is not None
    environment = Path(f"/proc/{write._process.pid}/environ")
    if os.path.lexists(environment):
        assert b"hf_secret" not in environment.read_bytes()
