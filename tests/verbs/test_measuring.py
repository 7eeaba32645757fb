from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from quire.recipe.schema import TrainSettings
from quire.verbs import measuring
from quire.verbs.measuring import Measurer

SHORT = TrainSettings.model_validate({"window": 32, "precision": "fp32"})


def test_another_process_measures_and_this_one_loads_no_torch(tiny_base: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from quire.recipe.schema import TrainSettings\n"
        "from quire.verbs.measuring import Measurer\n"
        "short = TrainSettings.model_validate({'window': 32, 'precision': 'fp32'})\n"
        "with Measurer() as measurer:\n"
        f"    found = measurer.ask(Path({str(tiny_base)!r}), Path({str(tmp_path)!r}), [short])\n"
        "print(found.stages[0].precision, found.stages[0].pace.tokens, 'torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["fp32", str(32 * 8), "False"], done.stderr


def test_a_process_that_is_not_asked_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "COMMAND", (sys.executable, "-c", "import time; time.sleep(600)"))
    with Measurer() as measurer:
        process = measurer._process
        assert process.poll() is None
    assert process.returncode is not None


@pytest.mark.parametrize(
    "code",
    [
        "raise SystemExit(3)",
        "print('{}')",
        "print('no JSON')",
        "import time; time.sleep(600)",
    ],
)
def test_a_process_that_fails_or_takes_too_long_measures_nothing(
    code: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(measuring, "COMMAND", (sys.executable, "-c", code))
    monkeypatch.setattr(measuring, "MOST_SECONDS", 2.0)
    with Measurer() as measurer:
        assert measurer.ask(tmp_path, tmp_path, [SHORT]) is None
