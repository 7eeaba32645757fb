"""The recipe: the only place where a setting is declared.  Flags, YAML, help texts and the docs derive from it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Discriminator, Field, Tag, field_validator, model_validator

from quire.recipe.fresh import FreshBase
from quire.recipe.method import Method, as_saved
from quire.recipe.setting import Settings, later, one_of, setting
from quire.units import Share, Warmup, WarmupSetting

Format = Literal["prose", "poems", "plays", "conversations", "completions"]
KeptMatter = Literal["chapters", "text", "all"]
Precision = Literal["auto", "bf16", "fp32", "fp16", "int8", "nf4"]
Imprint = Literal["light", "style", "strong", "memorise"]
Tracker = Literal["tensorboard", "wandb", "trackio", "mlflow"]

PLAIN_STAGE = "train"
"""What the only stage of a recipe without `stages` is called."""

LONGEST_NAME = 64  # of a stage: it becomes part of the names of folders, which end at 255 bytes

# Seeds are multiplied and counted on before torch takes them, which ends at 64 bits; up to here it never gets there.
SEEDS = 2**53


class ShelfItem(Settings):
    """One source of text."""

    path: str | None = setting(None, "A file, a folder or a glob.")
    sample: str | None = setting(None, "A work that ships with Quire: novella, tale or poems.")
    hub: str | None = setting(
        None, "A data set on the hub, by its id: owner/name, or owner/name/part, or owner/name@revision."
    )
    format: Format | None = setting(
        None, "What the text is: prose, poems, plays, conversations or completions; found out when not given."
    )
    text: str | None = setting(None, "The column of a table that holds the text; found out when not given.")
    where: dict[str, str | list[str]] = setting(
        {}, "Keep rows whose columns have these values, in any case of letters."
    )
    matter: KeptMatter = setting(
        "text",
        "What is kept: chapters alone; text, with dedication, preface and afterword; or all, with imprint and index.",
    )
    ocr: bool = setting(False, "Recognise the text of pages that are pictures, where ocrmypdf is installed.")
    stream: bool = setting(False, "Read tables row by row, in constant memory, as far as the training needs.")
    split: str | None = setting(None, "The split of a hub data set to read; all, each as what it is, when not given.")
    validation: Share = setting(0.05, "Held out for early stopping and live curves.", "share of the words")
    test: Share = setting(0.10, "Held out for `judge` alone.", "share of the words")
    rights: str | None = setting(None, "What you may do with this text, in your own words.")
    weight: float = setting(
        1.0,
        "How often this source is seen in an epoch, against 1 for the others; of a stream, how many of its windows.",
        gt=0,
    )

    @model_validator(mode="before")
    @classmethod
    def from_text(cls, data: Any) -> Any:
        """`novel.epub` means `{path: novel.epub}`; `sample:novella` and `hub:owner/name` say what they are."""
        if not isinstance(data, str):
            return data
        kind, _, name = data.partition(":")
        return {kind: name} if kind in ("sample", "hub") else {"path": data}

    @model_validator(mode="after")
    def one_source(self) -> ShelfItem:
        if sum(source is not None for source in (self.path, self.hub, self.sample)) != 1:
            raise one_of("path", "hub", "sample")
        if self.split is not None and self.hub is None:
            raise ValueError("split is for hub data sets")
        if self.stream and self.sample is not None:
            raise ValueError("stream is for tables and hub data sets")
        if self.validation + self.test >= 1:
            raise ValueError("validation and test leave nothing to train on")
        return self

    @property
    def name(self) -> str:
        """How it is spoken of, as one writes it on the command line."""
        if self.path is not None:
            return self.path
        return f"hub:{self.hub}" if self.hub is not None else f"sample:{self.sample}"


class Chunk(Settings):
    """Cut the text by sentences instead of by windows, as simple fine-tuning scripts do."""

    sentences: int = setting(10, "Sentences in a chunk.", ge=1)


class TrainSettings(Settings):
    """What one training does."""

    method: Method = setting(Method(), "How the base is changed: lora, qlora, full, or inherit.")
    onto: Literal["merge", "stack"] = setting(
        "merge", "What becomes of an earlier adapter under a new one: melted into the base, or kept beside it, frozen."
    )
    window: int = setting(1024, "Tokens that the model sees at once.", "tokens", ge=8)
    stride: int | None = setting(None, "Step between windows; the window itself when not given.", "tokens", ge=1)
    overlap: Literal["train", "context"] = setting(
        "train", "Whether the tokens two windows share are learned twice or only read the second time."
    )
    pack: bool = setting(True, "Fill every row with several works, kept exactly apart.")
    chunk: Chunk | None = setting(None, "Cut by sentences instead of windows.")
    parts: int = setting(1, "Slices of the text, trained and saved one after the other.", ge=1)
    epochs: float = setting(3, "Times the text is read.", gt=0)
    steps: int | None = setting(None, "Optimiser steps of every part, instead of epochs.", "steps", ge=1)
    samples: int | None = setting(None, "Windows that every part trains on, instead of epochs.", "windows", ge=1)
    batch: int | Literal["auto"] = setting("auto", "Rows computed at once.", "rows")
    accumulate: int | Literal["auto"] = setting("auto", "Batches summed up before a step.", "batches")
    effective_batch: int = setting(8, "Rows for each step, when accumulate is auto.", "rows", ge=1)
    learning_rate: float = setting(2e-4, "Size of a step at the peak of the schedule.", gt=0)
    schedule: Literal["cosine", "linear", "constant"] = setting("cosine", "How the learning rate falls.")
    warmup: WarmupSetting = setting(
        Warmup(share=0.03), "Share of the steps, or steps, over which it first rises; never more than a part has."
    )
    weight_decay: float = setting(0.01, "Pull of the weights towards zero (decoupled, AdamW).", ge=0)
    clip: float = setting(1.0, "Largest norm of the gradient; 0 lets it be.", ge=0)
    optimizer: Literal["adamw", "adamw_8bit", "adafactor", "muon"] = setting(
        "adamw",
        "The optimiser: AdamW, AdamW with its memory in 8 bits, Adafactor, which keeps next to none, or Muon, for all "
        "weights of a base that is pretrained.",
    )
    precision: Precision = setting(
        "auto", "Number format of the base under its adapter, and of the computation; auto measures the machine."
    )
    checkpointing: bool | Literal["auto"] = setting(
        "auto", "Recompute activations to save memory; auto does so where they would not fit."
    )
    evaluate_every: int | None = setting(
        None, "Steps between validations; a tenth of each part when not given.", "steps", ge=1
    )
    save_every: int | None = setting(
        None, "Steps between checkpoints; as evaluate_every when not given.", "steps", ge=1
    )
    keep: int = setting(2, "Checkpoints kept.", ge=1)
    log_every: int = setting(1, "Steps between step events.", "steps", ge=1)
    early_stop: int | None = setting(None, "Stop after so many validations without a better one.", "validations", ge=1)
    loss: Literal["answers", "all"] = setting(
        "answers", "What is learned of conversations and completions: the answers alone, or all words."
    )
    goldfish: int | None = setting(
        None, "Leave out one target token in so many, always the same ones, against memorising.", "tokens", ge=2
    )
    neftune: float | None = setting(None, "Noise on the embeddings while training (NEFTune's alpha; 5 is usual).", gt=0)
    replay: Share | None = setting(None, "Text of the earlier voice's book to mix in.", "share of the rows")
    parallel: Literal["ddp", "fsdp"] = setting(
        "ddp", "With several processes: each holds the whole model, or a slice of every matrix."
    )

    @model_validator(mode="after")
    def agree(self) -> TrainSettings:
        if self.stride is not None and self.stride > self.window:
            raise ValueError(
                f"stride {self.stride} is larger than window {self.window}: text between windows would be lost"
            )
        if self.steps is not None and self.samples is not None:
            raise ValueError("give steps or samples, not both")
        if self.overlap == "context" and (self.stride is None or self.stride >= self.window):
            raise ValueError(
                f"overlap: context needs a stride smaller than the window, such as train.stride={self.window // 2}"
            )
        if self.chunk is not None and self.stride is not None:
            raise ValueError("chunk and stride exclude each other: chunks do not overlap")
        if self.method.full and self.precision in ("int8", "nf4"):
            raise ValueError(f"weights in {self.precision} cannot learn: use method qlora, or another precision")
        if self.optimizer == "muon" and not self.method.full:
            raise ValueError("muon turns whole matrices: it goes with method: full; use optimizer: adamw")
        if self.method.qlora is not None and self.precision not in ("auto", "int8", "nf4"):
            raise ValueError(f"the base of qlora is in int8 or nf4, not in {self.precision}: use method lora")
        if self.replay is not None and not 0 < self.replay < 1:
            raise ValueError("replay is more than nothing and less than everything: leave it out for none")
        adapter = self.method.adapter
        if self.onto == "stack" and adapter is not None and (adapter.dora or adapter.bias != "none"):
            raise ValueError("onto: stack is for adapters that add up: neither with dora nor with biases")
        return self

    @field_validator("batch", "accumulate")
    @classmethod
    def at_least_one(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 1:
            raise ValueError("must be at least 1")
        return value


class Stage(TrainSettings):
    """One training of a curriculum; what it does not say, `train` says for all."""

    name: str = setting(..., "What the stage is called, in folders and in --set stages.NAME.key.")
    shelf: tuple[ShelfItem, ...] = setting((), "Its sources of text; those of the recipe when not given.")

    @field_validator("name")
    @classmethod
    def is_a_name(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value) or value.isdigit():
            raise ValueError("must be small letters, figures and hyphens, such as long-windows")
        if len(value) > LONGEST_NAME:
            raise ValueError(f"must have at most {LONGEST_NAME} letters: folders are named so")
        return value


class WriteSettings(Settings):
    """How text is drawn from a voice; the names are transformers' own."""

    prompt: str = setting("", "Text to go on from.")
    max_new_tokens: int = setting(200, "Longest text to write.", "tokens", ge=1)
    temperature: float = setting(0.8, "Courage: 0 always takes the likeliest token.", ge=0)
    top_k: int = setting(0, "Draw from the k likeliest tokens; 0 for all.", ge=0)
    top_p: float = setting(0.95, "Draw from the likeliest tokens that together have this probability.", gt=0, le=1)
    min_p: float = setting(0.0, "Leave out tokens less likely than this share of the likeliest one.", ge=0, le=1)
    repetition_penalty: float = setting(1.1, "Divide the score of tokens already used; 1 for none.", gt=0)
    no_repeat_ngram_size: int = setting(0, "Never write the same run of n tokens twice; 0 lets it be.", ge=0)
    num_beams: int = setting(1, "Beams of a beam search; 1 draws at random.", ge=1)
    num_return_sequences: int = setting(1, "Candidates to write.", ge=1)
    stop: list[str] = setting([], "Texts that end the writing.")
    seed: int | None = setting(None, "Seed of the drawing; the same seed gives the same text.", ge=0, lt=2**63)
    preset: None = later("A named bundle of settings.")
    form: None = later("A verse form to hold.")
    copy_guard: None = later("Longest run of words that may be copied from the book.")
    strength: None = later("How much of the adapter counts.")

    @model_validator(mode="after")
    def agree(self) -> WriteSettings:
        if self.num_beams > 1 and self.num_return_sequences > self.num_beams:
            raise ValueError("num_return_sequences cannot exceed num_beams")
        return self


class JudgeSettings(Settings):
    """What is asked of a voice."""

    prompts: list[str] = setting([], "Prompts to be continued by base and voice; taken from held-out text if empty.")
    questions: list[Literal["loss", "imprint", "copying"]] = setting(
        ["loss", "imprint", "copying"], "What to judge.", min_length=1
    )
    against: None = later("Other voices to compare with.")
    words: None = later("Words to write for judging style.")


class BaseChoice(Settings):
    """A base for machines with a GPU and one for those without."""

    gpu: str = setting(..., "Base where there is a GPU.")
    cpu: str = setting(..., "Base where there is none.")


def _kind_of_base(value: object) -> str:
    """Which of the three forms of `base` is meant, so that an error speaks of that one alone."""
    if isinstance(value, FreshBase) or (isinstance(value, dict) and "fresh" in value):
        return "<fresh>"
    return "<choice>" if isinstance(value, BaseChoice | dict) else "<name>"


Base = Annotated[
    Annotated[str, Tag("<name>")] | Annotated[BaseChoice, Tag("<choice>")] | Annotated[FreshBase, Tag("<fresh>")],
    Discriminator(_kind_of_base),
]


class Recipe(Settings):
    """All of it.  Everything has a default but the shelf."""

    base: Base = setting(
        "auto",
        "The pretrained model: embedded, a folder, or a hub id; auto chooses; or {fresh: …} to start from nothing.",
    )
    seed: int = setting(7, "Seed of everything that is drawn.", ge=0, lt=SEEDS)
    name: str | None = setting(None, "Name of the run; from the first source when not given.")
    language: str | None = setting(None, "Language of the text (en, fr, …); detected when not given.")
    rights: str | None = setting(None, "What you may do with the texts, in your own words.")
    earlier: str | None = Field(
        default=None,
        validation_alias=AliasChoices("from"),
        alias="from",
        description="An earlier run, or its voice, to go on from.",
        json_schema_extra={"unit": "", "not_yet": []},
    )
    imprint: Imprint | None = setting(
        None, "How deep the book is to go: sets epochs, rank, learning rate and goldfish where nothing else does."
    )
    shelf: tuple[ShelfItem, ...] = setting((), "The sources of text.")
    train: TrainSettings = setting(TrainSettings(), "How to train; with stages, what they share.")
    stages: tuple[Stage, ...] = setting((), "A curriculum: trainings one after the other, each on what came before.")
    write: WriteSettings = setting(WriteSettings(), "How to write.")
    judge: JudgeSettings = setting(JudgeSettings(), "What to judge.")
    track: list[Tracker] = setting([], "Trackers that listen to the run.")
    push: None = later("Where to publish the voice.")

    @field_validator("language")
    @classmethod
    def is_a_code(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch("[a-z]{2,3}", value):
            raise ValueError("must be the code of a language, such as en or fr")
        return value

    @model_validator(mode="after")
    def agree(self) -> Recipe:
        names = [stage.name for stage in self.stages]
        doubled = [name for name in names if names.count(name) > 1]
        if doubled:
            raise ValueError(f"two stages are called {doubled[0]}")
        if self.stages and self.stages[0].method.inherit and self.earlier is None:
            raise ValueError(f"stage {names[0]} is the first: there is nothing to inherit (or name it with from:)")
        if not self.stages and self.train.method.inherit and self.earlier is None:
            raise ValueError("train.method: inherit goes on from an earlier voice: name it with from:")
        if self.earlier is None and any(stage.replay is not None for stage in (self.train, *self.stages)):
            raise ValueError("replay mixes in the text of an earlier run's book: name that run with from:")
        if self.earlier is not None and self.base not in ("auto", None):
            raise ValueError("an earlier voice brings its own base: leave out base, or from")
        for number in range(1, len(names)):
            self._require_passing_on(number)
        return self

    def _require_passing_on(self, number: int) -> None:
        """ValueError where a stage cannot go on with what the one before it leaves: it would be found only then."""
        stage, before = self.stages[number], self.method_of(number - 1)
        if before is None:
            return
        name, under = f"stage {stage.name}", before.adapter
        if stage.method.inherit and before.full and stage.precision in ("int8", "nf4"):
            raise ValueError(f"{name} inherits weights that all learn, and in {stage.precision} they cannot")
        if stage.onto == "stack" and stage.method.adapter and under and (under.dora or under.bias != "none"):
            what = "dora" if under.dora else "biases"
            raise ValueError(f"{name} cannot be put onto: stack of the one before it, which has {what}: use merge")

    @property
    def curriculum(self) -> tuple[Stage, ...]:
        """The trainings in order, each with its shelf; of a recipe without stages the one that `train` describes."""
        if not self.stages:
            return (Stage(name=PLAIN_STAGE, shelf=self.shelf, **dict(self.train)),)
        return tuple(s if s.shelf else s.model_copy(update={"shelf": self.shelf}) for s in self.stages)

    def method_of(self, number: int, earlier: Method | None = None) -> Method | None:
        """How stage `number` of the curriculum changes weights: its own method, or that of what it goes on with.

        `earlier` is what an earlier voice is (verbs.stages.passed_on); where that is not said, a stage that goes on
        with it has None.
        """
        method = self.curriculum[number].method
        return self._left_by(number - 1, earlier) if method.inherit else method

    def _left_by(self, number: int, earlier: Method | None) -> Method | None:
        """What goes on learning of the voice of stage `number`; of the earlier voice where that is -1."""
        if number < 0:
            return earlier
        stage, method = self.curriculum[number], self.method_of(number, earlier)
        if method is None or stage.method.adapter is None:
            return method
        under = self._left_by(number - 1, earlier) if stage.onto == "stack" else None
        return as_saved(method, under.adapter if under is not None else None)

    def carried_out(self, number: int, earlier: Method | None = None) -> Stage:
        """Stage `number` with the method that it comes to, where it inherits one."""
        return self.curriculum[number].model_copy(update={"method": self.method_of(number, earlier) or Method()})

    def melts(self, number: int, earlier: Method | None = None) -> bool:
        """Whether an earlier adapter becomes part of the base before stage `number` begins."""
        stage = self.curriculum[number]
        before = self._left_by(number - 1, earlier)
        learned = before is not None and before.adapter is not None
        return learned and not stage.method.inherit and (stage.method.full or stage.onto == "merge")

    def as_plain(self, number: int) -> Recipe:
        """Stage `number` as a recipe of its own, without stages: its shelf, its training, all else as it is."""
        stage = self.curriculum[number]
        train = TrainSettings(**{name: value for name, value in stage if name in TrainSettings.model_fields})
        return self.model_copy(update={"shelf": stage.shelf, "train": train, "stages": ()})
