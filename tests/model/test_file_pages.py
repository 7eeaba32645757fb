"""Pages of a weights' file leave the process, nothing that somebody wrote is lost."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from quire.model import file_pages
from quire.model.base import load_model
from quire.model.file_pages import _mappings, let_file_pages_go

SMAPS = """\
7f2bbec00000-7f2bcec99000 rw-p 00000000 fe:00 5433917                    /a base/model.safetensors
Size:             262756 kB
Rss:               13228 kB
Anonymous:             4 kB
VmFlags: rd wr mr mw me ac
7f2bd0000000-7f2bd0021000 rw-p 00000000 00:00 0
Size:                132 kB
Rss:                 120 kB
Anonymous:           120 kB
7fff00000000-7fff00001000 r-xp 00000000 00:00 0                          [vdso]
Rss:                   4 kB
Anonymous:             0 kB
"""

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pages are told on Linux alone")


def test_mappings_are_read_as_linux_tells_them() -> None:
    (mapping,) = _mappings(SMAPS)
    assert mapping.file == "/a base/model.safetensors"
    assert (mapping.start, mapping.size) == (0x7F2BBEC00000, 262756 * 1024)
    assert (mapping.resident, mapping.changed) == (13228 * 1024, 4096)


@linux
def test_what_was_only_read_goes_and_is_read_again(tiny_base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_pages, "WORTHWHILE", 0)
    model = load_model(tiny_base, "fp32")
    before = [p.clone() for p in model.parameters()]
    gone = let_file_pages_go()
    assert gone >= 4096
    assert let_file_pages_go() < gone
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True))


@linux
def test_small_files_are_not_asked_for(tiny_base: Path) -> None:
    model = load_model(tiny_base, "fp32")
    assert let_file_pages_go() == 0
    assert model is not None


@linux
def test_what_was_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_pages, "WORTHWHILE", 0)
    save_file({"x": torch.zeros(64, 1024)}, tmp_path / "x.safetensors")
    with safe_open(tmp_path / "x.safetensors", framework="pt") as file:
        x = file.get_tensor("x")
    x[3] = 7.0
    let_file_pages_go()
    assert x[3].eq(7.0).all()
    assert x.sum() == 7.0 * 1024


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert let_file_pages_go() == 0
