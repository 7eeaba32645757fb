"""Talking in turns: what is asked with, where answers end, what is kept, forgotten, taken back and saved."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

import chats
import quire
from quire.errors import QuireError, RecipeError, RunError
from quire.prompts.conversation import Conversation, Turn, conversation_in, shown
from quire.recipe.schema import WriteSettings
from quire.tokens.labels import prompt_ids
from quire.tokens.tokenizer import load_tokenizer
from quire.verbs.chat import Chat, EndingAtTurns, chat
from quire.verbs.voices import load_opened, open_run
from quire.writing.sampler import stream_text
from tiny import WINDOW, build_config

SHORT = {"write.max_new_tokens": 16}
PERSONA = "You keep the ferry."

# What begins a turn in each shape, of the persona, the user or the character.
BEGINNINGS = {
    "llama3": {"<|start_header_id|>"},
    "chatml": {"<|im_start|>"},
    "chatml-instruct": {"<|im_start|>"},
    "mistral": {"[INST]", "[/INST]"},
    "mistral-inst": {"[INST]", "[/INST]"},
    "mistral-last": {"[INST]", "[/INST]"},
    "gemma": {"<start_of_turn>"},
    "thinking": {"<|im_start|>"},
    "merging": {"<|im_start|>"},
    "plain": {"\nUser:", "\nCharacter:"},
    "plain-spaces": {"\nUser:", "\nCharacter:"},
    "embedded": {"<|system|>", "<|user|>", "<|character|>"},
}


@dataclass
class Sampler:
    """Stands for the sampler: gives the next of `answers` in pieces, and keeps what it was asked."""

    answers: list[str] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)

    def stream(self, model: object, tokenizer: object, prompt: str, how: WriteSettings, seed: int) -> Iterator[str]:
        self.prompts.append(prompt)
        self.seeds.append(seed)
        answer = self.answers.pop(0) if self.answers else "Six hours."
        yield from (answer[at : at + 4] for at in range(0, len(answer), 4))


@pytest.fixture
def sampler(monkeypatch: pytest.MonkeyPatch) -> Sampler:
    made = Sampler()
    monkeypatch.setattr("quire.writing.sampler.stream_text", made.stream)
    return made


@pytest.fixture
def talk(sampler: Sampler, tiny_base: Path) -> Chat:
    """With the tiny base, which has neither a template nor marks, and knows no conversations."""
    return chat(tiny_base, PERSONA, settings=SHORT, seed=3)


def answer(talk: Chat, text: str) -> str:
    return "".join(talk.say(text))


def base_of(shape: str, folder: Path) -> Path:
    """A tiny base with the tokenizer of a shape."""
    chats.save_shape(shape, folder)
    tokenizer = load_tokenizer(folder)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        config = build_config("llama", tokenizer.size, tokenizer.end_of_text)
        AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(folder)
    return folder


def test_an_answer_is_what_the_sampler_gives_to_the_conversation_shown(tiny_base: Path) -> None:
    talk = chat(tiny_base, f" {PERSONA}\n", settings=SHORT | {"write.temperature": 0.7}, seed=5)
    came = list(talk.say("Who is there?"))
    voice = load_opened(open_run(tiny_base, {}, ("write",)))
    how = WriteSettings(max_new_tokens=16, temperature=0.7)
    prompt = f"[persona] {PERSONA}\n\n[user] Who is there?"
    alone = stream_text(voice.model, voice.tokenizer, prompt, how, 5)  # type: ignore[arg-type]
    assert len(came) > 1
    assert "".join(came) == "".join(alone).strip()
    assert talk.turns == (Turn("user", "Who is there?"), Turn("character", "".join(came)))


def test_every_turn_is_asked_with_what_was_said_before(talk: Chat, sampler: Sampler) -> None:
    sampler.answers = ["Six hours.", "She will be back."]
    answer(talk, "How long?")
    answer(talk, "  And the river?\n")
    talk.persona = "You keep the mill."
    answer(talk, "Where?")
    asked = conversation_in(sampler.prompts[-1])
    assert asked is not None
    assert asked.system == "You keep the mill."
    assert [turn.text for turn in asked.turns] == [
        *("How long?", "Six hours.", "And the river?", "She will be back.", "Where?")
    ]
    assert len(set(sampler.seeds)) == 3


def test_the_same_seed_and_turns_give_the_same_answers(tiny_base: Path) -> None:
    def said() -> list[str]:
        talk = chat(tiny_base, settings=SHORT, seed=3)
        return [answer(talk, "Who?"), "".join(talk.retry()), answer(talk, "Where?")]

    first = said()
    assert said() == first
    assert len(set(first)) == 3
    assert chat(tiny_base, settings=SHORT).seed != chat(tiny_base, settings=SHORT).seed


@pytest.mark.parametrize("shape", chats.ALL_SHAPES)
def test_a_turn_that_begins_ends_the_answer(shape: str, tmp_path: Path) -> None:
    plain = load_tokenizer(chats.save_shape(shape, tmp_path / shape))
    ending = EndingAtTurns.of(plain)
    begin = {token for token in ending.turn_ends if plain.special_ids[token] in BEGINNINGS[shape]}
    assert {plain.special_ids[token] for token in begin} | set(ending.turn_texts) == BEGINNINGS[shape]
    others = {plain.end_of_text} | ({plain.start} if plain.start is not None else set())
    assert ending.turn_ends - begin == plain.turn_ends | others


@pytest.mark.parametrize("shape", ["embedded", "chatml", "plain"])
def test_the_users_lines_are_never_written(shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = chat(base_of(shape, tmp_path / shape), settings=SHORT)
    tokenizer = load_tokenizer(tmp_path / shape)
    mark = {"embedded": "<|user|>", "chatml": "<|im_start|>user\n", "plain": "\n\nUser: "}[shape]

    def saying(text: str) -> None:
        ids = iter(tokenizer.marked.encode(text, add_special_tokens=False).ids)
        monkeypatch.setattr("quire.writing.sampler.choose", lambda scores, generator: next(ids))

    saying(f" Six hours.{mark}Who?")
    assert answer(talk, "How long?") == "Six hours."
    saying(f"{mark}Who?")
    assert answer(talk, "How long?") == ""
    assert [each.answer for each in talk.exchanges] == ["Six hours.", ""]
    if shape == "plain":
        saying(" User: Who?")
        assert answer(talk, "How long?") == ""


def test_an_answer_that_is_cut_off_is_kept_as_far_as_it_came(talk: Chat) -> None:
    pieces = talk.say("How long?")
    assert talk.turns == (), "nothing was asked for yet"
    assert next(pieces) == "Six"
    pieces.close()
    assert talk.turns == (Turn("user", "How long?"), Turn("character", "Six"))
    held = talk.say("Where?")
    next(held)
    assert answer(talk, "Who?") == "Six hours."
    assert [each.answer for each in talk.exchanges] == ["Six", "Six", "Six hours."]
    assert list(held) == []


def test_what_got_no_answer_can_be_asked_again_but_is_no_part_of_the_conversation(talk: Chat, sampler: Sampler) -> None:
    sampler.answers = [" \n", "Orla.", "Here."]
    assert answer(talk, "Who?") == ""
    assert talk.conversation().turns == ()
    assert "".join(talk.retry()) == "Orla."
    assert talk.conversation().turns == (Turn("user", "Who?"), Turn("character", "Orla."))


def test_retry_takes_another_seed_and_the_place_of_the_last_answer(talk: Chat, sampler: Sampler) -> None:
    sampler.answers = ["One.", "Two.", "", "Four."]
    answer(talk, "How long?")
    talk.retry()
    assert talk.exchanges[0].answer == "One.", "nobody has asked for a piece of it"
    assert ["".join(talk.retry()) for _ in range(2)] == ["Two.", ""]
    assert talk.exchanges[0].answer == "Two.", "another answer that never came takes nobody's place"
    assert "".join(talk.retry()) == "Four."
    assert sampler.prompts == sampler.prompts[:1] * 4
    assert len(set(sampler.seeds)) == 4
    assert sampler.seeds[0] == talk.seed
    assert talk.exchanges[0].seed == sampler.seeds[-1]


def test_undo_takes_the_last_exchange_back(talk: Chat, sampler: Sampler) -> None:
    answer(talk, "One?")
    answer(talk, "Two?")
    assert talk.undo() == "Two?"
    answer(talk, "Three?")
    asked = conversation_in(sampler.prompts[-1])
    assert asked is not None
    assert [turn.text for turn in asked.turns] == ["One?", "Six hours.", "Three?"]
    assert (talk.undo(), talk.undo()) == ("Three?", "One?")
    for nothing in (talk.undo, talk.retry):
        with pytest.raises(QuireError, match="there is"):
            nothing()


@pytest.mark.parametrize("shape", ["embedded", "plain", "mistral"])
def test_what_the_model_cannot_see_any_more_is_left_out_from_the_oldest_on(
    shape: str, sampler: Sampler, tmp_path: Path
) -> None:
    talk = chat(base_of(shape, tmp_path / shape), PERSONA, settings=SHORT)
    tokenizer = load_tokenizer(tmp_path / shape)
    room = WINDOW - 16 - (tokenizer.start is not None)
    sampler.answers = [f"Hour {n}, and the river was not there." for n in range(12)]
    forgotten = []
    for number in range(12):
        answer(talk, f"Was it {number}?")
        forgotten.append(talk.forgotten)
        asked = conversation_in(sampler.prompts[-1])
        assert asked is not None
        assert asked.system == PERSONA
        assert asked.turns == talk.turns[2 * talk.forgotten : -1]
        assert len(prompt_ids(asked, tokenizer)) <= room
    assert forgotten == sorted(forgotten)
    assert 0 == forgotten[1] < forgotten[-1]
    more = talk.conversation().turns[2 * (talk.forgotten - 1) : -1]
    assert len(prompt_ids(Conversation(more, PERSONA), tokenizer)) > room, "one more would not have fitted"
    assert len(talk.turns) == 24, "what is forgotten by the model is not lost"


def test_a_turn_that_is_too_long_is_refused_with_the_numbers(talk: Chat, sampler: Sampler) -> None:
    answer(talk, "Who?")
    with pytest.raises(QuireError, match=rf"takes \d+ tokens, \d+ of .* sees {WINDOW} .* so {WINDOW - 16} are left"):
        talk.say("Wer? " * 200)
    assert len(talk.exchanges) == 1
    talk.persona = ""
    with pytest.raises(QuireError, match=r"takes \d+ tokens; this model"):
        talk.say("Wer? " * 200)


@pytest.mark.parametrize(
    ("text", "says"), [("", "nothing was said"), (" \n", "nothing"), ("a\udce9", "persona, is not text")]
)
def test_what_is_no_text_is_refused(text: str, says: str, talk: Chat) -> None:
    with pytest.raises(QuireError, match=says):
        talk.say(text)


def test_a_persona_that_is_no_text_is_refused(talk: Chat) -> None:
    talk.persona = "a\udce9"
    with pytest.raises(QuireError, match="the persona"):
        talk.say("Who?")


def test_mistakes_show_when_the_chat_is_opened(tiny_base: Path) -> None:
    with pytest.raises(RunError, match="no run named nowhere"):
        chat("nowhere")
    refused: list[tuple[Callable[[], object], str]] = [
        (lambda: chat(tiny_base, settings={"write.max_new_tokens": WINDOW}), "leaves nothing of the 256 tokens"),
        (lambda: chat(tiny_base, settings={"train.epochs": 3}), "says nothing here"),
        (lambda: chat(tiny_base, settings={"write.prompt": "Once"}), r"write\.prompt says nothing in a chat"),
        (lambda: chat(tiny_base, settings={"write.num_return_sequences": 2}), "says nothing in a chat"),
        (lambda: chat(tiny_base, settings={"write.num_beams": 2, "write.temperature": 0}, seed=1), "honour a seed"),
    ]
    for opening, says in refused:
        with pytest.raises(RecipeError, match=says):
            opening()
    talk = chat(tiny_base, settings=SHORT | {"write.temperature": 0})
    assert answer(talk, "Who?")
    with pytest.raises(RecipeError, match="would be the same"):
        talk.retry()


def test_a_saved_chat_is_a_conversation_to_train_on(talk: Chat, tmp_path: Path) -> None:
    file = tmp_path / "chats.jsonl"
    with pytest.raises(QuireError, match="no conversation to save"):
        talk.save(file)
    answer(talk, "Où est « la rivière » ?")
    talk.save(file)
    answer(talk, "[user] How long?\n\nI wait.")
    talk.save(str(file))
    (line,) = file.read_text(encoding="utf-8").splitlines()
    roles = [message["role"] for message in json.loads(line)["messages"]]
    assert roles == ["system", "user", "assistant", "user", "assistant"]
    (book,) = quire.read(file).books
    text = "\n\n".join(block.text for chapter in book.chapters for block in chapter.blocks)
    for turn in talk.turns:
        assert turn.text in text
    assert conversation_in(shown(talk.conversation())) == talk.conversation()


def test_saving_adds_to_a_file_and_spoils_none(talk: Chat, tmp_path: Path) -> None:
    answer(talk, "Who?")
    file = tmp_path / "chats.jsonl"
    file.write_text('{"messages": []}', encoding="utf-8")
    talk.save(file)
    file.write_text(file.read_text(encoding="utf-8") + "{}\n", encoding="utf-8")
    talk.save(file)
    assert [len(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()] == [1, 1, 0, 1]
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "latin.jsonl").write_bytes(b"\xe9")
    for name, says in [("novel.txt", "not be read"), ("folder.jsonl", "cannot be written"), ("latin.jsonl", "UTF-8")]:
        with pytest.raises(QuireError, match=says):
            talk.save(tmp_path / name)
    assert not (tmp_path / "novel.txt").exists()
