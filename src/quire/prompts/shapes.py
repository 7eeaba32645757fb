"""How a base writes conversations that has no chat template: by special tokens of its own, or as plain text."""

from __future__ import annotations

from collections.abc import Sequence

from quire.prompts.templates import ChatTemplate, Message

SYSTEM, USER, CHARACTER = "<|system|>", "<|user|>", "<|character|>"
MARKS = {"system": SYSTEM, "user": USER, "assistant": CHARACTER}
"""The embedded base's tokens, each before the words that are whose; end-of-text follows every answer."""
NAMES = {"user": "User:", "assistant": "Character:"}


class MarkedWriter:
    """`<|user|>Who is there?<|character|>I am.<|end|>`: an answer ends with end-of-text, which is known to stop.

    `start` is the token that the base expects before all texts, as templates write it too.
    """

    def __init__(self, end: str, start: str = "") -> None:
        self.end, self.start = end, start

    def __call__(self, messages: Sequence[Message], ask: bool) -> str:
        said = [
            MARKS[message["role"]] + message["content"] + (self.end if message["role"] == "assistant" else "")
            for message in messages
        ]
        return self.start + "".join(said) + (CHARACTER if ask else "")

    def as_template(self) -> str:
        """The same in Jinja, for other programs; `bos_token` is for those that put none before a prompt."""
        marks = "{% set marks = " + str(MARKS) + " %}"
        turn = "{{ marks[message['role']] + message['content'] }}"
        end = "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}"
        loop = "{% for message in messages %}" + turn + end + "{% endfor %}"
        return f"{marks}{{{{ bos_token }}}}{loop}{{% if add_generation_prompt %}}{CHARACTER}{{% endif %}}"

    def is_written_by(self, template: ChatTemplate) -> bool:
        """Whether a template is this one's, word for word, and fills in the same tokens."""
        tokens = (template.values.get("bos_token", ""), template.values.get("eos_token", ""))
        return template.text == self.as_template() and tokens == (self.start, self.end)


class PlainWriter:
    """`User: …` and `Character: …`, a blank line between two turns; an answer ends with end-of-text.

    The space before an answer belongs to it, since most tokenizers make one token of a word and the space before it.
    """

    def __init__(self, end: str, start: str = "") -> None:
        self.end, self.start = end, start

    def __call__(self, messages: Sequence[Message], ask: bool) -> str:
        said = []
        for message in messages:
            name = NAMES.get(message["role"])
            words = f"{name} {message['content']}" if name else message["content"]
            said.append(words + (self.end if message["role"] == "assistant" else "") + "\n\n")
        return self.start + "".join(said) + (NAMES["assistant"] if ask else "")

    def as_template(self) -> str:
        """The same in Jinja, for other programs."""
        turns = (
            "{% if message['role'] == 'user' %}User: {% elif message['role'] == 'assistant' %}Character: {% endif %}"
            "{{ message['content'] }}{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\\n\\n' }}"
        )
        loop = f"{{% for message in messages %}}{turns}{{% endfor %}}"
        return f"{{{{ bos_token }}}}{loop}{{% if add_generation_prompt %}}{NAMES['assistant']}{{% endif %}}"
