"""A base that a recipe makes from nothing."""

from __future__ import annotations

from pydantic import model_validator

from quire.recipe.setting import Settings, setting


class Fresh(Settings):
    """The shape of a small Llama-like base that starts from random weights, and of the tokenizer made for it."""

    hidden: int = setting(256, "Width of the model.", ge=8)
    layers: int = setting(6, "Layers.", ge=1)
    heads: int = setting(4, "Attention heads.", ge=1)
    key_value_heads: int = setting(2, "Heads of keys and values, shared by groups of attention heads.", ge=1)
    intermediate: int = setting(704, "Width inside a layer's feed-forward part.", ge=8)
    positions: int = setting(2048, "Longest text that the model can hold.", "tokens", ge=8)
    vocabulary: int = setting(8192, "Tokens of the byte-level BPE that is learned from the training text.", ge=300)

    @model_validator(mode="after")
    def agree(self) -> Fresh:
        if self.hidden % self.heads:
            raise ValueError(f"hidden {self.hidden} is no multiple of heads {self.heads}: each head has its share")
        if (self.hidden // self.heads) % 2:
            raise ValueError(
                f"hidden {self.hidden} gives each of {self.heads} heads {self.hidden // self.heads} numbers: "
                "positions are turns of pairs, so it must be an even number"
            )
        if self.heads % self.key_value_heads:
            raise ValueError(
                f"heads {self.heads} is no multiple of key_value_heads {self.key_value_heads}: equal groups share them"
            )
        return self


class FreshBase(Settings):
    """A base made from scratch: for pretraining, with `method: full`."""

    fresh: Fresh = setting(Fresh(), "Its shape.")
