"""The trackers themselves: what two sessions of a run leave in each, read back with its own library.

Each runs as in a training: a process that follows the events, offline, asking no network.
"""

from __future__ import annotations

import json
import sqlite3
import struct
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

from quire.run.events import Event
from quire.training.watching import tracked
from quire.training.watching.tracked import mlflow_store, prepare
from tracking import new_run, two_sessions

STEPS = list(range(1, 13))
LOSSES = [pytest.approx(4 - step / 10, abs=1e-6) for step in STEPS]

# Loaded by every Python that starts: notes whoever asks for a name or for an address that is not this machine's.
NO_NETWORK = """
import socket
real = socket.socket.connect
def connect(self, address):
    if isinstance(address, tuple) and not str(address[0]).startswith(("127.", "::1", "localhost")):
        open({asked!r}, "a").write(repr(address) + "\\n")
        raise OSError("no network")
    return real(self, address)
def look_up(host, *rest, **more):
    if host not in ("localhost", "127.0.0.1", "::1", None):
        open({asked!r}, "a").write(repr(host) + "\\n")
        raise OSError("no network")
    return known(host, *rest, **more)
known = socket.getaddrinfo
socket.socket.connect, socket.getaddrinfo = connect, look_up
"""

needs = {
    name: pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not installed")
    for name in ("tensorboard", "wandb", "trackio", "mlflow")
}


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that holds whatever was asked of the network, and does not exist where nothing was."""
    hooks, asked = tmp_path / "hooks", tmp_path / "asked"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(NO_NETWORK.format(asked=str(asked)))
    monkeypatch.setenv("PYTHONPATH", str(hooks))
    monkeypatch.chdir(tmp_path)
    for name in ("WANDB_MODE", "WANDB_API_KEY", "TRACKIO_DIR", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return asked


@needs["tensorboard"]
@pytest.mark.slow
def test_tensorboard(tmp_path: Path, asked: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = new_run(tmp_path / "tale")
    assert two_sessions(run, "tensorboard") == []
    found = EventAccumulator(str(run.path / "track" / "tensorboard"), size_guidance={"scalars": 0}).Reload()
    assert [point.step for point in found.Scalars("train/loss")] == STEPS
    assert [point.value for point in found.Scalars("train/loss")] == LOSSES
    assert [point.step for point in found.Scalars("validation/loss")] == [12]
    [sample] = found.Tensors("samples/text_summary")
    assert b"opened <b>, after 12." in sample.tensor_proto.string_val[0]
    assert b"learning_rate | 0.0002" in found.Tensors("settings/text_summary")[0].tensor_proto.string_val[0]
    assert "warnings/text_summary" in found.Tags()["tensors"]
    assert not asked.exists()


def records_of(data: bytes) -> list[bytes]:
    """What a .wandb file holds: LevelDB's log format after seven bytes; blocks of 32 KiB, records in pieces."""
    records, at, whole = [], 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last piece
            records.append(whole)
            whole = b""
    return records


@needs["wandb"]
@pytest.mark.slow
def test_wandb_offline(tmp_path: Path, asked: Path) -> None:
    from wandb.proto.wandb_internal_pb2 import Record

    run = new_run(tmp_path / "tale")
    assert two_sessions(run, "wandb") == []
    [file] = (run.path / "track" / "wandb").glob("offline-run-*/run-*.wandb")
    known = records_of(file.read_bytes())
    records = [Record.FromString(data) for data in known]
    points: dict[int, str] = {}
    for record in records:
        values = {item.key or "/".join(item.nested_key): item.value_json for item in record.history.item}
        if "train/loss" in values:
            assert int(values["_step"]) not in points
            points[int(values["_step"])] = values["train/loss"]
    assert list(points) == STEPS
    assert [float(value) for value in points.values()] == LOSSES
    assert b"secret-novel.txt" in b"".join(known)
    assert b"somebody" not in b"".join(known)
    assert not list(file.parent.rglob("wandb-metadata.json"))
    assert list(file.parent.rglob("samples_*.table.json"))
    assert not asked.exists()


@needs["trackio"]
@pytest.mark.slow
def test_trackio(tmp_path: Path, asked: Path) -> None:
    run = new_run(tmp_path / "tale")
    assert two_sessions(run, "trackio") == []
    with sqlite3.connect(run.path / "track" / "trackio" / "quire.db") as database:
        rows = [(step, json.loads(told)) for step, told in database.execute("select step, metrics from metrics")]
    losses = [(step, told["train/loss"]) for step, told in rows if "train/loss" in told]
    assert losses == list(zip(STEPS, LOSSES, strict=True))
    [sample] = [told["samples"] for _, told in rows if "samples" in told]
    assert "after 12." in sample["_value"]
    assert not asked.exists()


@needs["mlflow"]
@pytest.mark.slow
def test_mlflow(tmp_path: Path, asked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    run = new_run(tmp_path / "tale")
    assert two_sessions(run, "mlflow") == []
    client = mlflow.MlflowClient(tracking_uri=mlflow_store(run.path / "track" / "mlflow"))
    [found] = client.search_runs([client.get_experiment_by_name("quire").experiment_id])
    history = client.get_metric_history(found.info.run_id, "train/loss")
    assert [point.step for point in history] == STEPS
    assert [point.value for point in history] == LOSSES
    assert found.data.params["train.learning_rate"] == "0.0002"
    assert found.info.status == "FINISHED"
    assert {file.path for file in client.list_artifacts(found.info.run_id)} == {"samples.md", "warnings.md"}
    assert not asked.exists()


@needs["mlflow"]
@pytest.mark.slow
def test_mlflow_in_a_store_of_the_users_goes_on_with_the_same_run(
    tmp_path: Path, asked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    (tmp_path / "store").mkdir()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_store(tmp_path / "store"))
    assert two_sessions(new_run(tmp_path / "tale"), "mlflow") == []
    client = mlflow.MlflowClient(tracking_uri=mlflow_store(tmp_path / "store"))
    [found] = client.search_runs([client.get_experiment_by_name("quire").experiment_id])
    assert [point.step for point in client.get_metric_history(found.info.run_id, "train/loss")] == STEPS
    samples = mlflow.artifacts.load_text(f"{found.info.artifact_uri}/samples.md")
    assert [samples.count(f"after {step}.") for step in (8, 12)] == [1, 1]


def test_what_an_earlier_session_told_an_mlflow_of_the_users_stays_and_is_not_told_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had told numbers up to step 5, and samples of steps 3 and 7."""

    class Tracker:
        def __init__(self, *_given: object, **_named: object) -> None:
            self.tracker = self

        def start(self) -> None: ...

        def log_artifact(self, _file: str) -> None: ...

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mine")
    monkeypatch.setattr("accelerate.tracking.MLflowTracker", Tracker)
    monkeypatch.setattr(tracked, "import_module", lambda name: SimpleNamespace(MlflowClient=lambda: None))
    monkeypatch.setattr(tracked, "_be_the_main_process", lambda: None)
    monkeypatch.setattr(tracked.MLflow, "_earlier", lambda *given: ("id", 5))
    told = "## step 3\n\nThe mill.\n\n## step 7\n\nThe door.\n\n"
    (tmp_path / "samples.md").write_text(told)
    tracker = tracked.MLflow(tmp_path, "tale", "tale-1")
    assert tracker.known == 5
    for step, text in ((7, "The door."), (12, "The river.")):
        tracker.text("samples", text, Event(0.0, "sample", "train", 0, step))
    assert (tmp_path / "samples.md").read_text() == told + "## step 12\n\nThe river.\n\n"


def test_offline_and_in_the_run_unless_the_environment_says_otherwise(tmp_path: Path) -> None:
    environment = {"WANDB_API_KEY": "x", "RANK": "3", "WORLD_SIZE": "4"}
    prepare(environment, tmp_path)
    assert environment["WANDB_MODE"] == "offline"  # being logged in is no wish to send
    assert environment["TRACKIO_DIR"] == str(tmp_path)
    assert environment["MLFLOW_TRACKING_URI"] == mlflow_store(tmp_path)
    assert environment["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert environment["CUDA_VISIBLE_DEVICES"] == ""  # a tracker that opened the GPU would take memory from training
    assert not {"RANK", "WORLD_SIZE"} & set(environment)
    own = {"WANDB_MODE": "online", "TRACKIO_DIR": "/mine", "MLFLOW_TRACKING_URI": "http://mine"}
    prepare(own, tmp_path)
    assert own["WANDB_MODE"] == "online"
    assert (own["TRACKIO_DIR"], own["MLFLOW_TRACKING_URI"]) == ("/mine", "http://mine")


def test_each_tracker_of_the_schema_can_be_opened() -> None:
    from typing import get_args

    from quire.recipe.schema import Tracker
    from quire.training.watching.trackers import LIBRARIES

    assert set(tracked.OPEN) == set(get_args(Tracker)) == set(LIBRARIES)
