from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from quire.run.manifest import MANIFEST, flaw, read_manifest, seal


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    (tmp_path / "base").mkdir()
    (tmp_path / "weights").write_bytes(bytes(range(64)))
    (tmp_path / "base" / "config.json").write_text('{"layers": 2}')
    (tmp_path / "README.md").write_text("a card")
    seal(tmp_path, {"processes": 4}, exempt=("README.md",))
    return tmp_path


def test_it_holds_the_hash_of_every_file_and_the_facts(sealed: Path) -> None:
    told = read_manifest(sealed)
    assert told["processes"] == 4
    assert told["files"] == {
        "base/config.json": hashlib.sha256(b'{"layers": 2}').hexdigest(),
        "weights": hashlib.sha256(bytes(range(64))).hexdigest(),
    }
    assert flaw(sealed) is None


def test_every_single_bit_of_every_file_is_watched(sealed: Path) -> None:
    whole = read_manifest(sealed)
    for name in ("weights", "base/config.json", MANIFEST):
        data = (sealed / name).read_bytes()
        for bit in range(8 * len(data)):
            changed = bytearray(data)
            changed[bit // 8] ^= 1 << bit % 8
            (sealed / name).write_bytes(changed)
            found = flaw(sealed)
            # A blank of the manifest may become another blank, a letter of "sha256" may make it an unknown fact of it:
            # then every hash still stands.
            if found is None:
                assert name == MANIFEST
                assert read_manifest(sealed).items() >= whole.items()
            else:
                assert str(sealed) in found
        (sealed / name).write_bytes(data)
    assert flaw(sealed) is None


def test_every_cut_of_every_file_is_watched(sealed: Path) -> None:
    for name in ("weights", "base/config.json", MANIFEST):
        data = (sealed / name).read_bytes()
        for length in range(len(data) - (name == MANIFEST)):  # its last byte is a line end
            (sealed / name).write_bytes(data[:length])
            assert flaw(sealed) is not None, f"{name} cut to {length} bytes"
        (sealed / name).write_bytes(data)


def test_what_is_missing_is_named(sealed: Path) -> None:
    (sealed / "weights").unlink()
    assert "weights is missing" in str(flaw(sealed))
    (sealed / MANIFEST).unlink()
    assert f"{MANIFEST} is missing" in str(flaw(sealed))


def test_a_file_that_is_exempt_or_came_later_is_no_flaw_unless_it_is_required(sealed: Path) -> None:
    (sealed / "README.md").write_text("another card")
    (sealed / "notes").write_text("")
    assert flaw(sealed) is None
    assert "does not vouch for notes" in str(flaw(sealed, required=("notes",)))


def test_one_of_an_older_version_without_its_own_hash_is_read(sealed: Path) -> None:
    told = read_manifest(sealed)
    (sealed / MANIFEST).write_text(json.dumps({"files": told["files"]}))
    assert flaw(sealed, required=("weights",)) is None
