"""Every base's shape: whose words are whose, and nothing that a template does not write."""

from __future__ import annotations

from pathlib import Path

import pytest

import chats
from quire.errors import BaseModelError
from quire.prompts.builder import Builder, render_completion
from quire.prompts.conversation import Conversation, Turn, before_last_answer
from quire.tokens.tokenizer import load_tokenizer

_builders: dict[str, Builder] = {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shapes")


def builder(name: str, folder: Path, template: str | None = None) -> Builder:
    key = name if template is None else f"{name} {template}"
    if key not in _builders:
        home = chats.save_shape(name, folder / f"{name}-{len(_builders)}", template)
        _builders[key] = load_tokenizer(home).builder
    return _builders[key]


ENDS = {
    "llama3": "<|eot_id|>", "chatml": "<|im_end|>", "chatml-instruct": "<|im_end|>", "mistral": "</s>",
    "mistral-inst": "</s>", "mistral-last": "</s>", "gemma": "<end_of_turn>", "thinking": "<|im_end|>",
    "merging": "<|im_end|>", "plain": "<|endoftext|>", "plain-spaces": "</s>", "embedded": "<|end|>",
}  # fmt: skip
MOVES = {"mistral-last", "thinking"}
"""Those that write an answer otherwise when more follows."""


@pytest.mark.parametrize("name", chats.ALL_SHAPES)
def test_the_characters_words_and_the_end_of_each_turn_are_learned(name: str, folder: Path) -> None:
    rendered = builder(name, folder).render(chats.CHAT)
    learned = [one.text[start:stop] for one in rendered for start, stop in one.learned]
    answers = [chats.CHAT.turns[number].text for number in chats.CHAT.answers]
    assert len(rendered) == (3 if name in MOVES else 1)
    for text, answer in zip(learned, answers, strict=True):
        lead, _, end = text.partition(answer)
        assert end == ENDS[name]
        assert lead in ("", " ") or name == "thinking"
    assert builder(name, folder).turn_ends() == (ENDS[name],)


@pytest.mark.parametrize("name", chats.ALL_SHAPES)
@pytest.mark.parametrize("conversation", [chats.CHAT, chats.WITHOUT_PERSONA], ids=["persona", "none"])
def test_every_turns_words_are_where_they_are_said_to_be(name: str, conversation: Conversation, folder: Path) -> None:
    for rendered in builder(name, folder).render(conversation):
        said = {(turn.role, rendered.text[turn.start : turn.stop]) for turn in rendered.said}
        expected = {(turn.role, turn.text) for turn in conversation.turns}
        persona = {text for role, text in said if role == "system"}
        assert {
            (role, text.removeprefix(f"{chats.PERSONA}\n\n")) for role, text in said if role != "system"
        } <= expected
        assert persona <= {chats.PERSONA}
        assert rendered.text.count(chats.PERSONA) == bool(conversation.system)


@pytest.mark.parametrize("name", chats.ALL_SHAPES)
@pytest.mark.parametrize("conversation", [chats.CHAT, chats.WITHOUT_PERSONA], ids=["persona", "none"])
def test_what_is_asked_in_a_chat_is_what_was_trained_on(name: str, conversation: Conversation, folder: Path) -> None:
    made = builder(name, folder)
    for number in conversation.answers:
        upto = Conversation(conversation.turns[: number + 1], conversation.system)
        rendered = made.render(upto)[-1]
        asked = made.prompt(before_last_answer(upto))
        start, _ = rendered.learned[-1]
        assert rendered.text[:start] == asked.text
        # Also within the whole conversation, where more follows.
        whole = made.render(conversation)
        if len(whole) == 1:
            assert whole[0].text.startswith(asked.text)


def test_only_new_answers_are_learned_of_a_later_piece(folder: Path) -> None:
    for name in ("chatml", "thinking"):
        rendered = builder(name, folder).render(chats.CHAT, first=2)
        (learned,) = (one.text[a:b] for one in rendered for a, b in one.learned)
        assert learned.endswith("Then we walk.<|im_end|>")


def test_the_day_is_always_the_same_so_that_a_resumed_run_reads_the_same(folder: Path) -> None:
    (rendered,) = builder("llama3", folder).render(chats.CHAT)
    assert "Today is 26 Jul 2024" in rendered.text


def test_white_space_around_words_is_taken_off_as_templates_do(folder: Path) -> None:
    for name in ("llama3", "chatml", "embedded"):
        loose = Conversation(tuple(Turn(turn.role, f"\n {turn.text} ") for turn in chats.CHAT.turns), chats.PERSONA)
        assert builder(name, folder).render(loose) == builder(name, folder).render(chats.CHAT)


@pytest.mark.parametrize(
    ("template", "what"),
    [
        ("{% for m in messages %}{{ m['content'] | upper }}<|im_end|>{% endfor %}", "leaves out turn 1"),
        ("{% for m in messages[-2:] %}{{ m['content'] }}<|im_end|>{% endfor %}", "leaves out turn 1"),
        ("{% for m in messages %}{{ m['content'] | replace('e', '') }}<|im_end|>{% endfor %}", "changes what was"),
        ("{% for m in messages %}{{ m['content'][:99] }}<|im_end|>{% endfor %}", "changes what was said"),
        ("{% for m in messages %}{{ m['content'] + m['content'] }}<|im_end|>{% endfor %}", "writes a turn twice"),
        ("{% for m in messages | reverse %}{{ m['content'] }}<|im_end|>{% endfor %}", "changes the order"),
        ("{% for m in messages %}{{ m['content'] if loop.index < 3 else raise_exception('no!') }}{% endfor %}",
         "refuses such a conversation: no!"),
        ("{% for m in messages %}{{ m['content'] }}<|im_end|>{% endfor %}{% if add_generation_prompt %}x{% endif %}",
         "asks for an answer in another way"),
    ],
)  # fmt: skip
def test_a_template_that_changes_a_conversation_is_refused_by_name(template: str, what: str, folder: Path) -> None:
    made = builder("chatml", folder, template)
    long = Conversation((*chats.WITHOUT_PERSONA.turns[:5], Turn("character", "No. " * 60)))
    with pytest.raises(BaseModelError, match=what) as caught:
        made.render(long)
    assert caught.value.what.startswith(f"the chat template of {made.name} ")


def test_a_header_that_is_always_written_asks_where_a_template_has_no_way_to(folder: Path) -> None:
    template = "{% for m in messages %}<|im_start|>{{ m['role'] + ': ' + m['content'] }}<|im_end|>{% endfor %}"
    made = builder("chatml", folder, template)
    (rendered,) = made.render(chats.CHAT)
    assert rendered.text[slice(*rendered.learned[0])].startswith("Six hours")
    assert made.prompt(before_last_answer(chats.CHAT)).text.endswith("<|im_start|>assistant: ")


def test_an_end_of_turn_that_is_no_token_is_a_text_that_ends_answers(folder: Path) -> None:
    template = "{% for m in messages %}### {{ m['role'] + ': ' + m['content'] }} [over]\n\n{% endfor %}"
    made = builder("plain", folder, template)
    (rendered,) = made.render(chats.CHAT)
    assert rendered.text[slice(*rendered.learned[0])].endswith("boots for it. [over]")
    assert made.turn_ends() == ()
    assert made.stop_texts() == ("[over]",)
    assert builder("chatml", folder).stop_texts() == ()


def test_a_completion_is_plain_text_whatever_the_base() -> None:
    given = Conversation((Turn("user", "A storm at sea."), Turn("character", "The mast went first.")))
    rendered = render_completion(given)
    assert rendered.text == "A storm at sea.\n\nThe mast went first."
    assert [rendered.text[a:b] for a, b in rendered.learned] == ["\n\nThe mast went first."]
    beside = render_completion(Conversation((Turn("user", "Once upon"), Turn("character", " a time"))))
    assert beside.text == "Once upon a time"
    assert [beside.text[a:b] for a, b in beside.learned] == [" a time"]
