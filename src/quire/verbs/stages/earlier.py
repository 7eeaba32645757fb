"""Going on from an earlier voice: its base, what it learned, and the text it must not forget."""

from __future__ import annotations

from pathlib import Path

from quire.model.adapters import is_adapter
from quire.planner.bases import BaseFiles
from quire.run.atomic import hash_file
from quire.run.folder import find_run, require_voice
from quire.training.learner import Start


def voice_of_earlier(name: str) -> Path:
    """The voice folder that `from:` names, by a run or by itself.  RunError or VoiceError where there is none."""
    return require_voice(find_run(name))


def hashes_of_voice(name: str) -> dict[str, str]:
    """The sha256 of the weights that an earlier voice consists of: a run that goes on from it must find the same."""
    voice = voice_of_earlier(name)
    return {str(file): hash_file(file) for file in sorted(voice.glob("*.safetensors"))}


def earlier_start_of(name: str, files: BaseFiles) -> Start:
    """What the first stage goes on from; `files` are those of `passed_on.base_of_voice`."""
    voice = voice_of_earlier(name)
    return Start(files, voice if is_adapter(voice) else None)
