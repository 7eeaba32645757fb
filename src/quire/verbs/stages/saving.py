"""What a run leaves behind: the voice, proven to be one, and samples of its writing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from peft import PeftModel

from quire.books.book import Passage, passages_of
from quire.books.sentences import split_sentences
from quire.delivery.card import CardFacts, Source, model_card
from quire.planner.pace import PROMPTS, SAMPLE_TOKENS
from quire.prompts.conversation import conversation_of, shown_asking
from quire.recipe.schema import Recipe
from quire.run.atomic import hash_file
from quire.run.events import read_events
from quire.tokens.rows import Rows
from quire.training.learner import Learner
from quire.training.session import Session
from quire.training.state import TrainState
from quire.training.voice import check_voice, probe_of, save_voice
from quire.training.watching.energy import energy_of
from quire.verbs.texts.material import Material
from quire.writing.sampler import write_texts
from quire.writing.samples import Sample, append_sample

LONGEST_PROMPT = 160  # characters: enough to set the scene, short enough to leave the page to the voice


def save_and_check(
    session: Session,
    learner: Learner,
    recipe: Recipe,
    base: str,
    material: Material,
    rows: Sequence[Rows],
    state: TrainState,
    folder: Path,
) -> None:
    """Save what the model has learned as a voice, and load it again the way a user would.  `base` is how the card names
    the base that the run began with."""
    facts = CardFacts(
        name=recipe.name or folder.name,
        base=base,
        adapter=isinstance(learner.model, PeftModel),
        base_changed=isinstance(learner.model, PeftModel) and learner.files.kind == "run",
        language=material.language,
        sources=[Source(book.title, book.author, book.words) for book in material.shelf],
        tokens_trained=state.tokens,
        steps=state.step,
        trainable=learner.trainable,
        parameters=learner.parameters,
        energy=energy_of(read_events(session.folder.events_file)),
    )
    place = folder.relative_to(session.folder.path)

    def prove(target: Path) -> None:
        check_voice(learner.model, learner.files, learner.precision, target, probe_of(rows[0]), str(place))

    card = model_card(recipe, facts)
    chats = any(passage.kind == "conversations" for passage in material.passages)
    save_voice(learner.model, learner.tokenizer, learner.files, recipe.write, folder, card, prove, chats)
    weights = next(iter(sorted(folder.glob("*.safetensors"))))
    session.emit("saved", state, {"voice": str(place), "sha256": hash_file(weights)})


def write_samples(
    session: Session, learner: Learner, recipe: Recipe, prompts: Sequence[str], state: TrainState
) -> None:
    """Continue the same prompts with what has been learned so far; events and samples.md keep the result."""
    settings = recipe.write.model_copy(
        update={"max_new_tokens": min(SAMPLE_TOKENS, recipe.write.max_new_tokens), "num_return_sequences": 1}
    )
    seed = recipe.seed if recipe.write.seed is None else recipe.write.seed
    stage = recipe.curriculum[state.stage]
    where = [f"after step {state.step}"]
    where += [f"stage {stage.name}"] if recipe.stages else []
    where += [f"part {state.part + 1}"] if stage.parts > 1 else []
    for prompt in prompts:
        text = write_texts(learner.model, learner.tokenizer, prompt, settings, seed)[0]  # type: ignore[arg-type]
        session.emit("sample", state, {"prompt": prompt, "text": text, "seed": seed})
        append_sample(session.folder.samples, Sample(prompt, [text], seed, settings, ", ".join(where)), once=True)


def fixed_prompts(recipe: Recipe, material: Material) -> list[str]:
    """The recipe's prompts, or the openings of held-out passages: the same at every part and for base and voice."""
    if recipe.judge.prompts:
        return list(recipe.judge.prompts)
    openings = []
    for passage in passages_of(material.passages, "validation") or passages_of(material.passages, "train"):
        opening = first_question(passage) if passage.turns else _opening(passage.text, material.language)
        if opening and opening not in openings:
            openings.append(opening)
        if len(openings) == PROMPTS:
            break
    return openings


def first_question(passage: Passage) -> str:
    """The first words that wait for an answer, under their persona, as they are shown."""
    conversation = conversation_of(passage)
    return shown_asking(replace(conversation, turns=conversation.turns[:1]))


def _opening(text: str, language: str) -> str:
    """The first line or sentence of a passage's last block but the heading: something that wants to be continued."""
    blocks = [block for block in text.split("\n\n") if len(block.split()) >= 5]
    if not blocks:
        return ""
    first = blocks[0]
    if "\n" in first:
        return first.split("\n", 1)[0] + "\n"
    start, stop = split_sentences(first, language)[0]
    sentence = first[start:stop]
    if len(sentence) <= LONGEST_PROMPT:
        return sentence
    return sentence[:LONGEST_PROMPT].rsplit(" ", 1)[0]
