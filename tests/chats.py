"""Bases' ways of writing conversations, as they are commonly found, with small tokenizers made for the tests."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from quire.books.book import Passage, Said
from quire.prompts.conversation import Conversation, Turn
from quire.tokens.make import make_tokenizer

PERSONA = "You are Orla, who keeps the ferry at Low Water."
CHAT = Conversation(
    (
        Turn("user", "How long is the crossing?"),
        Turn("character", "Six hours, sir — and you may thank your own boots for it."),
        Turn("user", "Et la rivière, où est-elle ?"),
        Turn("character", "She will be back.\n\nShe always is."),
        Turn("user", "And if not?"),
        Turn("character", "Then we walk."),
    ),
    PERSONA,
)
WITHOUT_PERSONA = Conversation(CHAT.turns)
_TEXT = "\n".join(turn.text for turn in CHAT.turns) + PERSONA + " user assistant system model\n"

_LLAMA3 = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set persona = messages[0]['content'] | trim %}"
    "{% set rest = messages[1:] %}{% else %}{% set persona = '' %}{% set rest = messages %}{% endif %}"
    "{{ '<|start_header_id|>system<|end_header_id|>\\n\\n' }}"
    "{{ 'Today is ' + strftime_now('%d %b %Y') + '\\n\\n' + persona + '<|eot_id|>' }}"
    "{% for m in rest %}{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\\n\\n' }}"
    "{{ m['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)
_CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' }}"
    "{% if m['role'] == 'assistant' %}{% generation %}{{ m['content'] }}<|im_end|>{% endgeneration %}"
    "{% else %}{{ m['content'] }}<|im_end|>{% endif %}{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
_MISTRAL = (
    "{% if messages[0]['role'] == 'system' %}{% set persona = messages[0]['content'] + '\\n\\n' %}"
    "{% set rest = messages[1:] %}{% else %}{% set persona = '' %}{% set rest = messages %}{% endif %}"
    "{{ bos_token }}{% for m in rest %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "{% if m['role'] == 'user' %}{{ '[INST] ' + (persona if loop.first else '') + m['content'] + ' [/INST]' }}"
    "{% else %}{{ ' ' + m['content'] + eos_token }}{% endif %}{% endfor %}"
)
# The persona goes before the last turn of the user, wherever that is.
_MISTRAL_LAST = _MISTRAL.replace("loop.first", "m == (rest | selectattr('role', 'eq', 'user') | list)[-1]")
_GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "{{ '<start_of_turn>' + ('model' if m['role'] == 'assistant' else m['role']) + '\\n' }}"
    "{{ m['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"
)
# What was thought is shown in the last answer alone.
_THINKING = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' }}"
    "{% if m['role'] == 'assistant' and loop.last %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}"
    "{{ m['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
_HEADERS = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")

# Template, start token, end-of-text, other special tokens, and whether a word has the space before it (sentencepiece).
SHAPES: dict[str, tuple[str, str, str, tuple[str, ...], bool]] = {
    "llama3": (_LLAMA3, "<|begin_of_text|>", "<|end_of_text|>", _HEADERS, False),
    "chatml": (_CHATML, "", "<|endoftext|>", ("<|im_start|>", "<|im_end|>"), False),
    "chatml-instruct": (_CHATML, "", "<|im_end|>", ("<|im_start|>", "<|endoftext|>"), False),
    "mistral": (_MISTRAL, "<s>", "</s>", (), True),
    "mistral-inst": (_MISTRAL, "<s>", "</s>", ("[INST]", "[/INST]"), True),
    "mistral-last": (_MISTRAL_LAST, "<s>", "</s>", ("[INST]", "[/INST]"), True),
    "gemma": (_GEMMA, "<bos>", "<eos>", ("<start_of_turn>", "<end_of_turn>"), True),
    "thinking": (_THINKING, "", "<|endoftext|>", ("<|im_start|>", "<|im_end|>"), False),
    "merging": (_CHATML, "", "<|endoftext|>", ("<|im_start|>", "<|im_end|>"), False),
    "plain": ("", "", "<|endoftext|>", (), False),
    "plain-spaces": ("", "<s>", "</s>", (), True),
}
MERGING = "merging"
"""Its tokens go over line ends and words, so that an answer may begin within one."""
ALL_SHAPES = (*SHAPES, "embedded")


def save_shape(name: str, folder: Path, template: str | None = None) -> Path:
    """A tokenizer's folder of this shape; another `template` takes the place of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    if name == "embedded":
        make_tokenizer([_TEXT] * 8, 420, folder)
        return folder
    own, start, end, more, spaces = SHAPES[name]
    special = [token for token in (start, end, *more) if token]
    core = Tokenizer(models.BPE())
    lines = pre_tokenizers.Split("\n", behavior="isolated")  # as sentencepiece's models of these bases part lines
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=name != MERGING)
    core.pre_tokenizer = (
        pre_tokenizers.Sequence([lines, pre_tokenizers.Metaspace(prepend_scheme="first")]) if spaces else bytes_
    )
    core.decoder = decoders.Metaspace(prepend_scheme="first") if spaces else decoders.ByteLevel()
    alphabet = (
        sorted(set(_TEXT) | {chr(code) for code in range(32, 127)}) if spaces else pre_tokenizers.ByteLevel.alphabet()
    )
    core.train_from_iterator(
        [_TEXT] * 8,
        trainers.BpeTrainer(
            vocab_size=520, special_tokens=special, initial_alphabet=alphabet, show_progress=False, max_token_length=8
        ),
    )
    if start:
        core.post_processor = processors.TemplateProcessing(
            single=f"{start} $A", special_tokens=[(start, core.token_to_id(start))]
        )
    core.save(str(folder / "tokenizer.json"))
    settings: dict[str, object] = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": end}
    settings |= {"bos_token": start} if start else {}
    settings["clean_up_tokenization_spaces"] = False
    if own or template:
        settings["chat_template"] = template or own
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


def passage_of(conversation: Conversation, kind: str = "conversations", book: int = 0) -> Passage:
    """A conversation as the cut of a shelf gives it."""
    turns = [Turn("system", conversation.system)] if conversation.system else []
    text, said = "", []
    for turn in [*turns, *conversation.turns]:
        text += "\n\n" if said else ""
        said.append(Said(turn.role, len(text), len(text) + len(turn.text)))
        text += turn.text
    assert kind in ("conversations", "completions")
    return Passage(text, book, 0, 0, len(text), "train", 0, True, tuple(said), kind)  # type: ignore[arg-type]
