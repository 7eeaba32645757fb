"""Conversations as tokens: those of a chat's prompt, then the answer; what is learned, and what is only read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

import chats
from quire.books.book import count_words
from quire.errors import RecipeError
from quire.prompts.conversation import Conversation, Turn, before_last_answer
from quire.prompts.frames import messages_of
from quire.prompts.shapes import MarkedWriter
from quire.prompts.templates import TemplateWriter
from quire.recipe.schema import TrainSettings, WriteSettings
from quire.tokens.labels import encode_rendered, label, opening_of, pieces_of, prompt_ids
from quire.tokens.rows import IGNORED, make_rows
from quire.tokens.stretches import encode
from quire.tokens.tokenizer import Tokenizer, load_tokenizer
from quire.writing.sampler import check_settings


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tokenizer]:
    home = tmp_path_factory.mktemp("shapes")
    return {name: load_tokenizer(chats.save_shape(name, home / name)) for name in chats.ALL_SHAPES}


def learned_text(tokenizer: Tokenizer, ids: np.ndarray, mask: np.ndarray) -> str:
    return tokenizer.core.decode(ids[mask].tolist(), skip_special_tokens=True).strip()


@pytest.mark.parametrize("name", chats.ALL_SHAPES)
@pytest.mark.parametrize("conversation", [chats.CHAT, chats.WITHOUT_PERSONA], ids=["persona", "none"])
def test_training_reads_token_by_token_what_a_chat_asks_with(
    name: str, conversation: Conversation, tokenizers: dict[str, Tokenizer]
) -> None:
    """For every answer: the prompt's tokens, then tokens that are all learned up to the end of the turn."""
    tokenizer = tokenizers[name]
    labelled = label(chats.passage_of(conversation), tokenizer)
    for count, number in enumerate(conversation.answers):
        upto = Conversation(conversation.turns[: number + 1], conversation.system)
        prompt = prompt_ids(before_last_answer(upto), tokenizer)
        one = labelled[0] if len(labelled) == 1 else labelled[count]
        assert one.ids[: len(prompt)].tolist() == prompt
        answer = one.ids[len(prompt) :].tolist()
        mask = one.learned[len(prompt) :]
        assert not one.learned[len(prompt) - 1]
        end = next(at for at, token in enumerate(answer) if token in tokenizer.turn_ends)
        assert mask[: end + 1].all()
        assert tokenizer.core.decode(answer[:end]).strip().endswith(upto.turns[-1].text)


@pytest.mark.parametrize("name", [name for name, shape in chats.SHAPES.items() if shape[0] and name != chats.MERGING])
def test_transformers_makes_the_same_tokens_of_the_same_template(name: str, tokenizers: dict[str, Tokenizer]) -> None:
    tokenizer = tokenizers[name]
    other = AutoTokenizer.from_pretrained(tokenizer.folder)
    conversation = chats.WITHOUT_PERSONA if name == "gemma" else chats.CHAT
    other.chat_template = other.chat_template.replace("strftime_now('%d %b %Y')", "'26 Jul 2024'")

    def theirs(said: Conversation, ask: bool) -> list[int]:
        ids = other.apply_chat_template(messages_of(said), add_generation_prompt=ask, return_dict=False)
        return list(ids[1:] if ids[0] == tokenizer.start else ids)

    whole = encode_rendered(tokenizer.builder.render(conversation)[-1], tokenizer).ids.tolist()
    assert whole == theirs(conversation, ask=False)
    before = before_last_answer(conversation)
    assert prompt_ids(before, tokenizer) == theirs(before, ask=True)


def test_an_answer_that_would_begin_within_a_token_is_cut_there(tokenizers: dict[str, Tokenizer]) -> None:
    tokenizer = tokenizers[chats.MERGING]
    (rendered,) = tokenizer.builder.render(chats.CHAT)
    whole = tokenizer.marked.encode(rendered.text, add_special_tokens=False)
    begins = {begin for begin, _ in rendered.answers}
    assert begins - {start for start, _ in whole.offsets}, "this tokenizer shows nothing"
    encoded = encode_rendered(rendered, tokenizer)
    assert begins <= {start for start, _ in encoded.spans}
    assert tokenizer.marked.decode(encoded.ids.tolist(), skip_special_tokens=False) == rendered.text


@pytest.mark.parametrize("name", chats.ALL_SHAPES)
def test_end_of_text_stands_once_at_the_end_unless_it_ends_turns(name: str, tokenizers: dict[str, Tokenizer]) -> None:
    tokenizer = tokenizers[name]
    last = label(chats.passage_of(chats.CHAT), tokenizer)[-1]
    assert last.ends_work
    assert last.ids[-1] == tokenizer.end_of_text
    assert last.learned[-1]
    ends_turns = tokenizer.turn_ends == {tokenizer.end_of_text}
    shown = last.ids[last.learned] == tokenizer.end_of_text
    assert shown.sum() == (3 if ends_turns and name not in ("mistral-last", "thinking") else 1)


def test_the_start_token_is_left_to_whoever_reads_the_rows(tokenizers: dict[str, Tokenizer]) -> None:
    for name in ("llama3", "gemma", "mistral", "embedded", "plain-spaces"):
        tokenizer = tokenizers[name]
        (one, *_) = label(chats.passage_of(chats.CHAT), tokenizer)
        assert tokenizer.start not in one.ids
        row = make_rows(
            encode([chats.passage_of(chats.CHAT)], tokenizer, "train"), TrainSettings(window=512), tokenizer.start
        )
        assert row.arrays(0).inputs.tolist().count(tokenizer.start) == 1


@pytest.mark.parametrize("name", chats.ALL_SHAPES)
def test_words_that_spell_special_tokens_stay_words(name: str, tokenizers: dict[str, Tokenizer]) -> None:
    tokenizer = tokenizers[name]
    spelled = "".join(sorted(tokenizer.specials))
    said = Conversation((Turn("user", f"Say {spelled} now"), Turn("character", f"{spelled} and no more {spelled}")))
    (one,) = label(chats.passage_of(said), tokenizer)
    plain = Conversation((Turn("user", "Say x now"), Turn("character", "y and no more z")))
    (other,) = label(chats.passage_of(plain), tokenizer)
    special = [token for token in one.ids.tolist() if token in tokenizer.special_ids]
    assert special == [token for token in other.ids.tolist() if token in tokenizer.special_ids]
    assert one.learned.sum() > other.learned.sum()


@pytest.mark.parametrize("name", ["plain", "plain-spaces", "chatml"])
def test_a_completion_is_learned_alone_with_the_end(name: str, tokenizers: dict[str, Tokenizer]) -> None:
    tokenizer = tokenizers[name]
    pair = Conversation((Turn("user", "How long is it."), Turn("character", "Six hours, sir.")))
    (one,) = label(chats.passage_of(pair, "completions"), tokenizer)
    prompt = tokenizer.encode("How long is it.")
    assert one.ids[: len(prompt)].tolist() == prompt
    assert one.learned.tolist() == [False] * len(prompt) + [True] * (len(one.ids) - len(prompt))
    assert learned_text(tokenizer, one.ids, one.learned) == "Six hours, sir."
    assert one.ids[-1] == tokenizer.end_of_text
    assert one.words == (3, 4)


def long_chat(exchanges: int, words: int = 8) -> Conversation:
    said = []
    for number in range(exchanges):
        said.append(Turn("user", f"question {number} " + "and so on " * (words // 3)))
        said.append(Turn("character", f"answer {number} " + "of the river " * (words // 3)))
    return Conversation(tuple(said), chats.PERSONA)


@pytest.mark.parametrize("name", ["embedded", "llama3", "mistral-last", "gemma", "plain-spaces"])
def test_a_long_conversation_comes_in_pieces_that_begin_as_prompts_do(
    name: str, tokenizers: dict[str, Tokenizer]
) -> None:
    tokenizer = tokenizers[name]
    chat = long_chat(12)
    labelled = label(chats.passage_of(chat), tokenizer, window=256)
    assert len(labelled) > 2
    assert max(len(one.ids) for one in labelled) <= 256
    learned = " ".join(learned_text(tokenizer, one.ids, one.learned) for one in labelled)
    assert [learned.count(f"answer {n} ") for n in range(12)] == [1] * 12
    assert [one.ends_work for one in labelled] == [False] * (len(labelled) - 1) + [True]
    for one in labelled:
        assert chats.PERSONA in tokenizer.core.decode(one.ids.tolist())
        assert not one.learned[: one.repeats].any()
    assert labelled[0].repeats == 0
    assert all(one.repeats > 0 for one in labelled[1:])
    total = sum(count_words(turn.text) for turn in chat.turns) + count_words(chat.system)
    assert sum(sum(one.words) for one in labelled) == total


def test_all_words_are_learned_once_where_that_is_asked(tokenizers: dict[str, Tokenizer]) -> None:
    tokenizer = tokenizers["embedded"]
    passage = chats.passage_of(long_chat(12))
    labelled = label(passage, tokenizer, window=256, all_words=True)
    assert labelled[0].learned.all()
    for one in labelled[1:]:
        assert one.learned.tolist() == [False] * one.repeats + [True] * (len(one.ids) - one.repeats)
    assert sum(one.words[0] for one in labelled) == count_words(passage.text)
    (stretch, *_) = encode([passage], tokenizer, "train", window=256, all_words=True)
    assert stretch.learned is not None
    assert stretch.learned.all()


@pytest.mark.parametrize("name", ["embedded", "plain", "plain-spaces", "llama3"])
def test_a_template_that_a_voice_brings_along_asks_for_the_same_tokens(
    name: str, tokenizers: dict[str, Tokenizer], tmp_path: Path
) -> None:
    tokenizer = tokenizers[name]
    tokenizer.save(tmp_path)
    tokenizer.save_chat_template(tmp_path)
    voice = load_tokenizer(tmp_path)
    assert isinstance(voice.conversation_writer(), MarkedWriter if name == "embedded" else TemplateWriter)
    before = before_last_answer(chats.CHAT)
    assert prompt_ids(before, voice) == prompt_ids(before, tokenizer)
    (theirs,), (ours,) = (label(chats.passage_of(chats.CHAT), one) for one in (voice, tokenizer))
    assert theirs.ids.tolist() == ours.ids.tolist()
    assert theirs.learned.tolist() == ours.learned.tolist()


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 90), st.integers(1, 90)), min_size=1, max_size=12), st.integers(24, 400))
def test_every_answer_is_new_in_exactly_one_piece(sizes: list[tuple[int, int]], window: int) -> None:
    tokenizer = _small()
    turns = [
        turn
        for number, (asked, answered) in enumerate(sizes)
        for turn in (Turn("user", f"q{number} " + "a " * asked), Turn("character", f"a{number} " + "b " * answered))
    ]
    chat = Conversation(tuple(turns), "p")
    pieces = pieces_of(chat, tokenizer, window, around=8)
    new = [turn for piece in pieces for turn in piece.conversation.turns if turn.role == "character"]
    fresh = [piece.conversation.turns[n] for piece in pieces for n in piece.conversation.answers[piece.first :]]
    assert fresh == [turn for turn in turns if turn.role == "character"]
    assert len(new) >= len(fresh)
    assert [piece.last for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    for piece in pieces:
        assert piece.conversation.turns[0].role == "user"
        cost = sum(len(tokenizer.encode(turn.text)) for turn in piece.conversation.turns)
        assert cost <= window or len(piece.conversation.turns) == 2


_cached: list[Tokenizer] = []


def _small() -> Tokenizer:
    if not _cached:
        _cached.append(load_tokenizer(Path(__file__).parents[2] / "src" / "quire" / "assets" / "embedded"))
    return _cached[0]


def test_rows_of_conversations_all_teach_and_hold_them_whole(tokenizers: dict[str, Tokenizer]) -> None:
    tokenizer = tokenizers["llama3"]
    passages = [chats.passage_of(long_chat(count), book=count) for count in (1, 2, 3, 14)]
    answer = "of the river " * 400
    endless = Conversation((Turn("user", "Tell it all."), Turn("character", answer)), chats.PERSONA)
    passages.append(chats.passage_of(endless, book=15))
    rows = make_rows(encode(passages, tokenizer, "train", window=256), TrainSettings(window=256), tokenizer.start)
    learned = 0
    for index in range(len(rows)):
        arrays = rows.arrays(index)
        assert len(arrays.inputs) <= 256
        assert rows.targets_in(index) == int((arrays.targets != IGNORED).sum()) > 0
        learned += rows.targets_in(index)
    count = rows.count()
    assert learned == count.trained == sum(int(s.learned.sum()) for s in rows.stretches if s.learned is not None)
    assert count.trained + count.context == count.text


@pytest.mark.parametrize(
    "prompt", ["[persona] You keep the ferry.\n\n[character] Six hours.", "[character] Six hours."]
)
@pytest.mark.parametrize("name", ["gemma", "llama3"])
def test_a_prompt_that_asks_nothing_is_refused(name: str, prompt: str, tokenizers: dict[str, Tokenizer]) -> None:
    """gemma's template knows no system turn: the persona is put before the first words."""
    with pytest.raises(RecipeError, match="the prompt asks nothing"):
        opening_of(prompt, tokenizers[name])
    with pytest.raises(RecipeError, match="the prompt asks nothing"):
        check_settings(WriteSettings(prompt=prompt))  # before hours of training, after which samples are written
