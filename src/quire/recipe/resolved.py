"""The recipe as a run keeps it: with what was decided at the first start, the versions, and the sources' hashes."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from quire.errors import RecipeError
from quire.recipe.keys import flatten
from quire.recipe.load import RUN_BLOCKS, as_written, load_recipe, read_recipe_file
from quire.recipe.schema import Recipe
from quire.recipe.yaml_text import dump_yaml

_LIBRARIES = ("quire", "torch", "transformers", "peft", "accelerate", "tokenizers", "numpy")

_HEADER = (
    "# Written by Quire when this run was first started.  The run goes on as it says; to change a setting, start\n"
)
_HEADER += "# another run: quire train SOURCE --run NEW --set key=value\n"


class StageDecided(BaseModel):
    """What was settled for one stage."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    precision: Literal["fp32", "bf16", "fp16", "int8", "nf4"] = Field(
        "fp32", description="Number format of the base's weights under an adapter, otherwise of the computation."
    )
    precision_reason: str = Field("", description="Why this format.")
    batch: int = Field(1, description="Rows computed at once.")
    accumulate: int = Field(1, description="Batches summed up before a step.")
    batch_reason: str = Field("", description="Why so many.")
    checkpointing: bool = Field(False, description="Whether activations are computed twice to save memory.")
    lr_ratio: float = Field(1.0, description="LoRA+'s ratio of learning rates, its own or inherited; 1: none.")
    packs: bool | None = Field(None, description="Whether the base computes packed texts in one pass; null: not tried.")


class Decided(BaseModel):
    """What was settled by measuring at the first start, and holds for every resume."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str = Field(description="The base that the recipe came to.")
    base_revision: str = Field("", description="Its commit on the hub.")
    base_reason: str = Field("", description="Why this base.")
    download: bool = Field(False, description="Whether the base may be fetched from the hub.")
    device: Literal["cpu", "cuda"] = Field("cpu", description="Where the model is computed.")
    threads: int = Field(1, description="Threads of the computation.")
    threads_reason: str = Field("", description="Why so many.")
    kernels: Literal["native", "plain"] = Field("plain", description="Whether Quire's compiled kernels compute.")
    kernels_reason: str = Field("", description="Why not.")
    stages: tuple[StageDecided, ...] = Field((), description="For every stage, in order.")
    prepared: tuple[str, ...] = Field((), description="Stages whose sources are listed.")
    prompts: tuple[str, ...] = Field((), description="What is continued after every stage and part.")

    @model_validator(mode="before")
    @classmethod
    def from_before_stages(cls, data: Any) -> Any:
        """Runs of format 1 kept what is a stage's among the rest."""
        if not isinstance(data, dict) or "stages" in data:
            return data
        of_stage = {key: data[key] for key in StageDecided.model_fields if key in data}
        return {key: value for key, value in data.items() if key not in of_stage} | {"stages": [of_stage]}

    def with_stage(self, number: int, stage: StageDecided) -> Decided:
        """The same with another decision for stage `number`."""
        stages = (*self.stages[:number], stage, *self.stages[number + 1 :])
        return self.model_copy(update={"stages": stages})


class ResolvedRecipe(BaseModel):
    """A run's recipe.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: Recipe
    decided: Decided
    versions: dict[str, str] = Field({}, description="Quire, Python and the libraries that decide the numbers.")
    sources: dict[str, str] = Field({}, description="SHA-256 of every file that was read.")

    def to_yaml(self) -> str:
        """The text of recipe.yaml; `load_resolved` reads it back as the same."""
        run = {
            "quire": {"versions": self.versions, "sources": self.sources},
            "decided": self.decided.model_dump(mode="json"),
        }
        return _HEADER + dump_yaml(as_written(self.recipe)) + "\n" + dump_yaml(run)


def versions_here() -> dict[str, str]:
    """Of what decides the numbers: Python and the libraries."""
    return {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}


class Difference(NamedTuple):
    """A key whose value changed, as a recipe would write both; None where it was not there."""

    key: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.key}: {self.old} → {self.new}"


def load_resolved(path: Path) -> ResolvedRecipe:
    """Read a run's recipe.yaml.  RecipeError where it is damaged or is a plain recipe."""
    data = read_recipe_file(path).data
    if any(block not in data for block in RUN_BLOCKS):
        raise RecipeError(f"{path} is no run's recipe: it lacks the blocks quire and decided", "name the run's folder")
    recipe = load_recipe(path).recipe
    try:
        decided = Decided.model_validate(data["decided"])
        return ResolvedRecipe.model_validate({"recipe": recipe, "decided": decided, **data["quire"]})
    except (ValidationError, TypeError) as error:
        problem = str(error).splitlines()[0]
        raise RecipeError(f"{path} is damaged: {problem}", "start the run anew from its book with --run NEW") from None


def differences(old: Recipe, new: Recipe, ignore: Sequence[str] = ()) -> list[Difference]:
    """What `new` says otherwise than `old`, key by key, in the schema's order.

    `ignore` lists keys, or sections, that make no difference to the training (`write`, `judge`, `name`).
    """
    before, after = flatten(old), flatten(new)
    keys = [*after, *(key for key in before if key not in after)]
    return [
        Difference(key, before.get(key), after.get(key))
        for key in keys
        if before.get(key) != after.get(key) and not _within(key, ignore)
    ]


def changed_sources(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Files that were read at the first start and are now different, missing, or new."""
    return sorted(name for name in {*old, *new} if old.get(name) != new.get(name))


def _within(key: str, sections: Sequence[str]) -> bool:
    return any(key == section or key.startswith(section + ".") for section in sections)
