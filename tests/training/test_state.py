from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quire.training.state import TrainState

numbers = st.integers(0, 10**9)


@given(
    st.builds(
        TrainState,
        part=numbers,
        step=numbers,
        part_step=numbers,
        rows=numbers,
        tokens=numbers,
        best_loss=st.none() | st.floats(allow_nan=False, allow_infinity=False),
        best_step=st.none() | numbers,
        worse=numbers,
        validation_due=st.booleans(),
        scaler=st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False, allow_infinity=False), max_size=3),
    )
)
def test_it_comes_back_exactly(state: TrainState) -> None:
    assert TrainState.from_json(state.to_json()) == state


def test_a_validation_is_the_best_worse_or_equal() -> None:
    state = TrainState(step=10)
    assert state.note_validation(3.0)
    state.step = 20
    assert not state.note_validation(3.0)
    state.step = 30
    assert not state.note_validation(3.5)
    assert (state.best_loss, state.best_step, state.worse) == (3.0, 10, 2)
    state.step = 40
    assert state.note_validation(2.9)
    assert (state.best_loss, state.best_step, state.worse) == (2.9, 40, 0)
    assert not state.validation_due


def test_the_next_part_counts_steps_and_tokens_on_and_forgets_the_best() -> None:
    state = TrainState(part=1, step=7, part_step=3, rows=9, tokens=100, best_loss=1.0, best_step=5, worse=2)
    assert state.next_part() == TrainState(part=2, step=7, tokens=100)
