"""`write`: text in a voice, as it comes or several at once; what was written is kept in the run's samples.md."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from quire.errors import RecipeError
from quire.recipe.schema import WriteSettings
from quire.verbs.quiet import hush, hush_bars
from quire.verbs.voices import Opened, load_opened, open_run

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from quire.model.adapters import Voice
    from quire.verbs.train import Run

_SECTIONS = ("write",)
_CANDIDATES = "write.num_return_sequences"


@dataclass(frozen=True)
class Written:
    """What `write_all` wrote: `texts` go on from `prompt`; the same seed and settings give them again."""

    prompt: str
    texts: tuple[str, ...]
    seed: int
    settings: WriteSettings

    def to_json(self) -> dict[str, Any]:
        """What `quire write --json` prints."""
        how = self.settings.model_dump(exclude={"prompt", "seed"}, exclude_none=True)
        return {"prompt": self.prompt, "texts": list(self.texts), "seed": self.seed, "settings": how}


def write(
    run: str | Path | Run,
    prompt: str = "",
    *,
    settings: Mapping[str, object] | None = None,
    seed: int | None = None,
) -> Iterator[str]:
    """Go on from `prompt` (or from the recipe's `write.prompt`) and yield the text piece by piece.

    `run` is a run folder, the name of one under `runs`, a voice folder, or what `train` returned; `settings` are keys
    such as `write.temperature`.  Without a seed here or in the recipe a new one is drawn; samples.md tells which.  The
    voice is loaded before the first piece is asked for, so that mistakes show at once.  One text is written: a recipe
    that wants several candidates has them from `write_all`, and asking for several here is a RecipeError.
    """
    opened, how, prompt, seed = _prepare(run, prompt, settings or {}, seed, streams=True)
    return _stream(opened, _load(opened), how, prompt, seed)


def write_all(
    run: str | Path | Run,
    prompt: str = "",
    *,
    settings: Mapping[str, object] | None = None,
    seed: int | None = None,
) -> Written:
    """All `write.num_return_sequences` candidates; arguments as for `write`."""
    from quire.writing.sampler import write_texts

    opened, how, prompt, seed = _prepare(run, prompt, settings or {}, seed)
    voice = _load(opened)
    texts = write_texts(cast("PreTrainedModel", voice.model), voice.tokenizer, prompt, how, seed)
    _keep(opened, prompt, texts, how, seed)
    return Written(prompt, tuple(texts), seed, how)


def _prepare(
    run: str | Path | Run, prompt: str, settings: Mapping[str, object], seed: int | None, streams: bool = False
) -> tuple[Opened, WriteSettings, str, int]:
    """The opened run, how to write, from which prompt and with which seed.  All that can be refused is refused here."""
    hush()
    opened = open_run(run, settings, _SECTIONS)
    how = opened.recipe.write
    if streams:
        if how.num_return_sequences > 1 and _CANDIDATES in settings:
            raise RecipeError(f"{_CANDIDATES} {how.num_return_sequences}: a stream holds one", "use quire.write_all")
        how = how.model_copy(update={"num_return_sequences": 1})
    from quire.writing.sampler import check_settings

    check_settings(how)
    if how.num_beams > 1:
        _refuse_drawing(how, [*settings, *(["write.seed"] if seed is not None else [])])
    if seed is None:
        seed = how.seed if how.seed is not None else secrets.randbelow(2**31)
    return opened, how, prompt or how.prompt, seed


def _refuse_drawing(how: WriteSettings, given: Sequence[str]) -> None:
    """RecipeError where somebody asks beams for what only drawing can do, if only for a value that is the default."""
    from quire.writing.sampler import DRAWING

    usual = ("seed", *(key for key in DRAWING if (key, how.temperature) != ("temperature", 0)))
    refused = [key for key in dict.fromkeys(given) if key.removeprefix("write.") in usual]
    if refused:
        raise RecipeError(
            f"write.num_beams {how.num_beams} searches and draws nothing, so it cannot honour {', '.join(refused)}",
            f"set write.num_beams=1 to draw, or leave {', '.join(refused)} out to search",
        )


def _load(opened: Opened) -> Voice:
    hush_bars()
    return load_opened(opened)


def _stream(opened: Opened, voice: Voice, how: WriteSettings, prompt: str, seed: int) -> Iterator[str]:
    from quire.writing.sampler import stream_text

    pieces: list[str] = []
    try:
        for piece in stream_text(cast("PreTrainedModel", voice.model), voice.tokenizer, prompt, how, seed):
            pieces.append(piece)
            yield piece
    finally:  # what was written before somebody stopped listening is kept too
        if pieces:
            _keep(opened, prompt, ["".join(pieces)], how, seed)


def _keep(opened: Opened, prompt: str, texts: Sequence[str], how: WriteSettings, seed: int) -> None:
    """Add to samples.md, where the voice belongs to a run."""
    from quire.writing.samples import Sample, append_sample

    if opened.found.run is not None:
        append_sample(opened.found.run.samples, Sample(prompt, texts, seed, how))
