"""Text to token ids and back, by a base's own `tokenizer.json`.

The `tokenizers` library is used directly: it needs no torch, so that a plan can count tokens on a bare machine.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import tokenizers

from quire.errors import BaseModelError
from quire.planner.bases import settings_in
from quire.prompts.builder import Builder
from quire.prompts.frames import Writer
from quire.prompts.shapes import MARKS, MarkedWriter, PlainWriter
from quire.prompts.templates import TemplateWriter, base_name, find_template

TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"),
    *("chat_template.jinja", "chat_template.json"),
)


@dataclass(frozen=True)
class Tokenizer:
    """`start` is the token that the base expects before every text (None where it expects none);
    `end_of_text` ends a work; `pad` is what other programs fill rows up with (Quire never does), end-of-text where the
    base names nothing."""

    core: tokenizers.Tokenizer
    folder: Path
    start: int | None
    end_of_text: int
    pad: int

    def encode(self, text: str) -> list[int]:
        """Ids of `text` alone: nothing is added, and special tokens that a book happens to spell are plain text."""
        return list(self.core.encode(text, add_special_tokens=False).ids)

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` for many texts, in parallel where the processor has several cores."""
        return [list(e.ids) for e in self.core.encode_batch_fast(list(texts), add_special_tokens=False)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, special tokens left out."""
        return self.core.decode(list(ids), skip_special_tokens=True)

    @cached_property
    def marked(self) -> tokenizers.Tokenizer:
        """The same tokenizer, but one that knows special tokens where a text spells them: for what a base's own
        template writes, never for what a book or a person says."""
        return _read_core(self.folder / "tokenizer.json")

    @cached_property
    def builder(self) -> Builder:
        """How conversations are written for this base: by its chat template, its special tokens, or plainly."""
        return Builder(base_name(self.folder), self.conversation_writer(), self.specials)

    @cached_property
    def specials(self) -> frozenset[str]:
        """The texts of the special tokens."""
        return frozenset(self.special_ids.values())

    @cached_property
    def special_ids(self) -> dict[int, str]:
        """The special tokens, and how they are spelled."""
        return {number: t.content for number, t in self.core.get_added_tokens_decoder().items() if t.special}

    def conversation_writer(self) -> Writer:
        """The base's own template where it has one, else its marks for whose words are whose, else names.

        The embedded base's template says what its marks say, for other programs: no process is started to render it.
        """
        end = self.core.id_to_token(self.end_of_text) or ""
        if self.marked.encode(end, add_special_tokens=False).ids != [self.end_of_text]:
            end = ""  # it cannot be spelled; the end of a conversation gets it all the same
        start = "" if self.start is None else self.core.id_to_token(self.start) or ""
        marked = MarkedWriter(end, start) if set(MARKS.values()) <= self.specials else None
        template = find_template(self.folder)
        if template is not None and (marked is None or not marked.is_written_by(template)):
            return TemplateWriter(template)
        return marked or PlainWriter(end, start)

    @cached_property
    def turn_ends(self) -> frozenset[int]:
        """The tokens that end an answer: end-of-text, and the end of a turn by the base's own template."""
        ids = (self.core.token_to_id(token) for token in self.builder.turn_ends())
        return frozenset((self.end_of_text, *(int(found) for found in ids if found is not None)))

    @property
    def size(self) -> int:
        """Number of different tokens, added ones included."""
        return int(self.core.get_vocab_size(with_added_tokens=True))

    def save(self, folder: Path) -> None:
        """Copy the tokenizer's files beside a voice or a base, unchanged."""
        for name in TOKENIZER_FILES:
            if (self.folder / name).exists():
                shutil.copyfile(self.folder / name, folder / name)

    def save_chat_template(self, folder: Path) -> None:
        """Beside a voice that learned from conversations: how its base writes them, for other programs, where the base
        brings no template of its own."""
        write = self.conversation_writer()
        if isinstance(write, MarkedWriter | PlainWriter):
            (folder / "chat_template.jinja").write_text(write.as_template(), encoding="utf-8")


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer in a base's or a voice's folder.  Raises BaseModelError where there is none or it is broken."""
    file = folder / "tokenizer.json"
    if not file.exists():
        raise BaseModelError(
            f"{folder} has no tokenizer.json",
            "choose a base with a fast tokenizer, or convert this one with transformers and save it",
        )
    core = _read_core(file)
    # A book that spells "<|end|>" must not be able to place the real token.
    core.encode_special_tokens = True
    settings = settings_in(folder / "tokenizer_config.json")
    model = settings_in(folder / "config.json")
    end = _token_id(core, settings.get("eos_token"))
    if end is None:
        ids = model.get("eos_token_id")
        first = ids[0] if isinstance(ids, list) and ids else ids
        end = first if isinstance(first, int) else None
    if end is None:
        raise BaseModelError(
            f"{folder} names no end-of-text token", "add eos_token to its tokenizer_config.json, or choose another base"
        )
    pad = _token_id(core, settings.get("pad_token"))
    start = _start_token(core, settings)
    return Tokenizer(core=core, folder=folder, start=start, end_of_text=end, pad=end if pad is None else pad)


def _read_core(file: Path) -> tokenizers.Tokenizer:
    try:
        return tokenizers.Tokenizer.from_file(str(file))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a broken file can be a Rust panic, which is no Exception
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BaseModelError(f"{file} is not a usable tokenizer: {reason}", "choose another base") from None


def _start_token(core: tokenizers.Tokenizer, settings: dict[str, Any]) -> int | None:
    """What the tokenizer itself puts before a text, or what its settings say it should."""
    template = core.encode("", add_special_tokens=True).ids
    begin = _token_id(core, settings.get("bos_token"))
    if template:
        return int(template[0])
    return begin if settings.get("add_bos_token") is True else None


def _token_id(core: tokenizers.Tokenizer, token: object) -> int | None:
    text = token.get("content") if isinstance(token, dict) else token
    found = core.token_to_id(text) if isinstance(text, str) else None
    return int(found) if found is not None else None
