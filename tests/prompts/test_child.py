"""The child: what a template finds there, and how much it may write."""

from __future__ import annotations

from pathlib import Path

import pytest

from quire.books.walls import seccomp
from quire.prompts import child
from quire.prompts.templates import ChatTemplate, TemplateWriter


def rendered(text: str, **values: object) -> dict[str, str]:
    return child.answer(lambda: child.environment().from_string(text), values, 1000)


def test_templates_find_what_they_expect() -> None:
    assert rendered("{{ x | tojson }}", x={"é": 1}) == {"text": '{"é": 1}'}
    assert rendered("{{ strftime_now('%Y-%m-%d') }}") == {"text": "2024-07-26"}
    assert rendered("{% for i in [1, 2, 3] %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}") == {"text": "1"}
    assert rendered("a{% generation %}b{% endgeneration %}c") == {"text": "abc"}
    assert rendered("  {% if true %}\n  x\n  {% endif %}\n") == {"text": "  x\n"}


def test_the_length_is_bounded_while_it_is_written() -> None:
    assert rendered("{% for i in range(200) %}12345{% endfor %}")["text"] == "12345" * 200
    assert rendered("{% for i in range(201) %}12345{% endfor %}") == {"fault": "writes more than 1,000 characters"}


def test_a_refusal_is_no_fault() -> None:
    assert rendered("{{ raise_exception('no') }}") == {"refused": "no"}


@pytest.mark.skipif(not seccomp.is_supported(), reason="this machine's kernel filters no system calls")
def test_whoever_breaks_out_of_the_sandbox_stands_before_the_walls() -> None:
    """What the filter holds off is tried call by call in tests/books/walls/test_seccomp.py; here it must be up."""
    write = TemplateWriter(ChatTemplate("base", "{{ messages[0].content }}", {}))
    write([{"role": "user", "content": "x"}], ask=False)
    assert write._process is not None
    status = Path(f"/proc/{write._process.pid}/status").read_text(encoding="utf-8")
    assert "Seccomp:\t2" in status
    assert "NoNewPrivs:\t1" in status
