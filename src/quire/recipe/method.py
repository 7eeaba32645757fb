"""How a stage changes its base: the settings of adapters, and the four methods."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_serializer, model_validator

from quire.recipe.setting import Settings, one_of, setting

MethodKind = Literal["lora", "qlora", "full", "inherit"]
_KINDS = ("lora", "qlora", "full", "inherit")

ALL_LINEAR = "all-linear"
"""Of an adapter's targets: every matrix of the layers, by whatever names a base has for them."""


class Lora(Settings):
    """A low-rank adapter (Hu et al. 2021, arXiv 2106.09685), as peft builds it."""

    rank: int = setting(16, "Rank of the two small matrices: more learns more, and costs more.", ge=1)
    alpha: float = setting(32, "Strength; the adapter counts alpha / rank times.", gt=0)
    dropout: float = setting(0.05, "Share of the adapter's inputs set to zero while training.", ge=0, lt=1)
    targets: list[str] | str = setting(ALL_LINEAR, "The layers to adapt, by name, or all-linear.")
    bias: Literal["none", "all", "lora_only"] = setting("none", "Which biases learn too.")
    rslora: bool = setting(False, "Scale by alpha / sqrt(rank) (rsLoRA, arXiv 2312.03732).")
    dora: bool = setting(False, "Learn magnitude and direction apart (DoRA, arXiv 2402.09353).")
    init: Literal["default", "gaussian", "pissa"] = setting(
        "default",
        "How the adapter starts: at random, or with the base's strongest directions (PiSSA, arXiv 2404.02948).",
    )
    lr_ratio: float = setting(
        1.0, "Learning rate of the second matrix over that of the first (LoRA+, arXiv 2402.12354; 16 there).", gt=0
    )

    @model_validator(mode="before")
    @classmethod
    def pissa_without_dropout(cls, data: Any) -> Any:
        """A PiSSA adapter has no dropout unless asked: it would leave out the base's strongest directions."""
        return {"dropout": 0.0, **data} if isinstance(data, dict) and data.get("init") == "pissa" else data

    @model_validator(mode="after")
    def agree(self) -> Lora:
        if not self.targets or not all(self.targets):
            raise ValueError("targets names no layer: leave it out for all-linear, or name one")
        if self.init == "pissa" and (self.dora or self.bias != "none"):
            raise ValueError("init: pissa goes neither with dora nor with biases")
        return self


class Method(Settings):
    """How a stage changes the base: by an adapter, or in all its weights; or going on with what was there."""

    lora: Lora | None = setting(Lora(), "Train a low-rank adapter.")
    qlora: Lora | None = setting(None, "Train a low-rank adapter on a base in 8 or 4 bits.")
    full: bool = setting(False, "Train all weights.")
    inherit: bool = setting(False, "Go on with what the stage before, or an earlier voice, has learned.")

    @model_validator(mode="before")
    @classmethod
    def from_text(cls, data: Any) -> Any:
        """`full` means `{full: true, lora: null}`; `{qlora: {}}` and `qlora` are an adapter with its defaults."""
        if isinstance(data, str):
            if data not in _KINDS:
                raise ValueError(f"must be {', '.join(_KINDS[:-1])} or {_KINDS[-1]}")
            data = {data: True} if data in ("full", "inherit") else {data: None}
        if not isinstance(data, dict):
            return data
        named = {kind: data[kind] for kind in ("lora", "qlora") if kind in data}
        filled = {kind: {} if value is None and len(data) == 1 else value for kind, value in named.items()}
        if "lora" not in data and (data.get("qlora", False) is not False or data.get("full") or data.get("inherit")):
            filled["lora"] = None
        return {**data, **filled}

    @model_validator(mode="after")
    def one_method(self) -> Method:
        if sum((self.lora is not None, self.qlora is not None, self.full, self.inherit)) != 1:
            raise one_of(*_KINDS)
        return self

    @property
    def kind(self) -> MethodKind:
        if self.adapter is None:
            return "full" if self.full else "inherit"
        return "lora" if self.lora is not None else "qlora"

    @property
    def adapter(self) -> Lora | None:
        """The adapter of `lora` or `qlora`."""
        return self.lora or self.qlora

    @model_serializer
    def as_written(self) -> str | dict[str, Any]:
        return {self.kind: self.adapter.model_dump()} if self.adapter else self.kind


def as_saved(method: Method, under: Lora | None) -> Method:
    """An adapter as its voice holds it: with the one that it was stacked on, and after PiSSA with what it began with,
    it is one of as many ranks as lie on any layer, whose strength is in its matrices (model.stacking)."""
    own = method.adapter
    if own is None or (under is None and own.init != "pissa"):
        return method
    rank, targets = own.rank * (2 if own.init == "pissa" else 1), own.targets
    if under is not None:
        layers, others = _layers(own), _layers(under)
        together = not (layers and others) or layers & others
        rank = rank + under.rank if together else max(rank, under.rank)
        targets = sorted(layers | others) if layers and others else ALL_LINEAR
    one = {"rank": rank, "alpha": float(rank), "rslora": False, "init": "default", "targets": targets}
    return method.model_copy(update={method.kind: own.model_copy(update=one)})


def _layers(lora: Lora) -> set[str]:
    """The layers that are named; none where they are all."""
    if lora.targets == ALL_LINEAR:
        return set()
    return {lora.targets} if isinstance(lora.targets, str) else set(lora.targets)
