"""The trackers that accelerate knows, each opened so that it asks nobody, sends nothing and keeps its log in the run.

A tracker's own store in the run is written anew from the events whenever a run goes on: nothing in it can be doubled,
and nothing lost with the process that wrote it.  A store elsewhere, which the user's environment names, says itself
how far it has come.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, MutableMapping
from importlib import import_module
from pathlib import Path
from typing import Protocol

from quire.run.events import Event

PROJECT = "quire"
Scalars = Mapping[str, float]


class Tracked(Protocol):
    """An open tracker.  `known` is the step up to which it holds this run already; 0 where it is empty."""

    known: int

    def settings(self, values: Mapping[str, str | float]) -> None: ...

    def log(self, values: Scalars, event: Event) -> None: ...

    def text(self, name: str, text: str, event: Event) -> None: ...

    def finish(self) -> None: ...


class TensorBoard:
    """Event files in RUN/track/tensorboard: `tensorboard --logdir runs`."""

    known = 0

    def __init__(self, home: Path, _run: str, _key: str) -> None:
        from accelerate.tracking import TensorBoardTracker

        _empty(home)
        _be_the_main_process()
        self._tracker = TensorBoardTracker("", home)
        self._tracker.start()

    def settings(self, values: Mapping[str, str | float]) -> None:
        """As a table: the hyper-parameter plug-in would want a run of its own for them."""
        rows = "\n".join(f"| {key} | {value} |" for key, value in values.items())
        self._tracker.log({"settings": f"| key | value |\n|---|---|\n{rows}"}, step=0)

    def log(self, values: Scalars, event: Event) -> None:
        self._tracker.log(dict(values), step=event.step, walltime=event.time)

    def text(self, name: str, text: str, event: Event) -> None:
        self._tracker.log({name: text}, step=event.step, walltime=event.time)

    def finish(self) -> None:
        self._tracker.finish()


class Wandb:
    """Weights & Biases: offline, unless WANDB_MODE says otherwise; `wandb sync` sends what lies in RUN/track/wandb."""

    def __init__(self, home: Path, run: str, key: str) -> None:
        wandb = import_module("wandb")  # before accelerate, which takes long: what is wrong with it shows at once
        from accelerate.tracking import WandBTracker

        offline = os.environ["WANDB_MODE"] != "online"
        if offline:
            _empty(home)
        home.mkdir(parents=True, exist_ok=True)  # the name that it gives to its folder in `dir`
        # What it would collect by itself: the program's code, its output, the machine's load, the repository.
        quiet = wandb.Settings(
            console="off",
            disable_code=True,
            disable_git=True,
            save_code=False,
            silent=True,
            x_disable_machine_info=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_save_requirements=False,
        )
        _be_the_main_process()
        self._tracker = WandBTracker(
            PROJECT, name=run, id=key, dir=str(home.parent), resume=None if offline else "allow", settings=quiet
        )
        self._tracker.start()
        self.known = self._tracker.tracker.starting_step if not offline else 0

    def settings(self, values: Mapping[str, str | float]) -> None:
        self._tracker.store_init_configuration(dict(values))

    def log(self, values: Scalars, event: Event) -> None:
        self._tracker.log(dict(values), step=event.step)

    def text(self, name: str, text: str, event: Event) -> None:
        self._tracker.log_table(name, columns=["step", "text"], data=[[event.step, text]], step=event.step)

    def finish(self) -> None:
        self._tracker.finish()


class Trackio:
    """A database in RUN/track/trackio: `TRACKIO_DIR=RUN/track/trackio trackio show`.

    Where the environment names another folder, a Space or a server, only what an earlier session has not heard is told.
    """

    def __init__(self, home: Path, run: str, key: str) -> None:
        from accelerate.tracking import TrackioTracker

        own = os.environ["TRACKIO_DIR"] == str(home) and not _named("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL")
        if own:
            _empty(home)
        self.known = 0 if own else -1
        _be_the_main_process()
        self._tracker = TrackioTracker(
            PROJECT, name=run if own else key, resume="allow", embed=False, auto_log_gpu=False, auto_log_cpu=False
        )
        self._tracker.start()

    def settings(self, values: Mapping[str, str | float]) -> None:
        self._tracker.store_init_configuration(dict(values))

    def log(self, values: Scalars, event: Event) -> None:
        self._tracker.log(dict(values), step=event.step)

    def text(self, name: str, text: str, event: Event) -> None:
        self._tracker.log({name: import_module("trackio").Markdown(text)}, step=event.step)

    def finish(self) -> None:
        self._tracker.finish()


class MLflow:
    """A database in RUN/track/mlflow: `mlflow ui --backend-store-uri sqlite:///RUN/track/mlflow/mlflow.db`.

    Where MLFLOW_TRACKING_URI names a store of the user's, this run is found there again by its tag.
    """

    _TAG = "quire.run"

    def __init__(self, home: Path, run: str, key: str) -> None:
        mlflow = import_module("mlflow")
        from accelerate.tracking import MLflowTracker

        own = os.environ["MLFLOW_TRACKING_URI"] == mlflow_store(home)
        if own:
            _empty(home)
            home.mkdir(parents=True)
            os.chdir(home)  # it makes a folder for artifacts that nobody has where it stands
        earlier = None if own else self._earlier(mlflow.MlflowClient(), key)
        self.known = earlier[1] if earlier else 0
        # What it holds already of the texts, which are written anew as a whole.
        self._texts = {file.stem: file.read_text(encoding="utf-8") for file in home.glob("*.md")} if earlier else {}
        self._home = home
        _be_the_main_process()
        self._tracker = MLflowTracker(
            PROJECT,
            logging_dir=(home / "artifacts").absolute().as_uri() if own else None,
            run_id=earlier[0] if earlier else None,
            run_name=run,
            tags={self._TAG: key},
        )
        self._tracker.start()

    def settings(self, values: Mapping[str, str | float]) -> None:
        self._tracker.store_init_configuration(dict(values))

    def log(self, values: Scalars, event: Event) -> None:
        self._tracker.log(dict(values), step=event.step)

    def text(self, name: str, text: str, event: Event) -> None:
        """An artifact that grows: MLflow has no texts over the steps."""
        told, new = self._texts.get(name, ""), f"## step {event.step}\n\n{text}\n\n"
        if new in told:  # by an earlier session, behind the latest of its numbers
            return
        self._texts[name] = told + new
        self._home.mkdir(parents=True, exist_ok=True)
        file = self._home / f"{name}.md"
        file.write_text(self._texts[name], encoding="utf-8")
        self._tracker.log_artifact(str(file))

    def finish(self) -> None:
        self._tracker.finish()

    def _earlier(self, client: _Client, key: str) -> tuple[str, int] | None:
        """The run in the store that is this one, and the latest step that it holds."""
        experiment = client.get_experiment_by_name(PROJECT)
        if experiment is None:
            return None
        found = client.search_runs([experiment.experiment_id], filter_string=f"tags.`{self._TAG}` = '{key}'")
        if not found:
            return None
        name = found[0].info.run_id
        points = [point.step for metric in found[0].data.metrics for point in client.get_metric_history(name, metric)]
        return name, max(points, default=0)


OPEN: Mapping[str, Callable[[Path, str, str], Tracked]] = {
    "tensorboard": TensorBoard,
    "wandb": Wandb,
    "trackio": Trackio,
    "mlflow": MLflow,
}


def mlflow_store(home: Path) -> str:
    """Where MLflow keeps a run's log, as it writes such things."""
    return f"sqlite:///{home.absolute() / 'mlflow.db'}"


def prepare(environment: MutableMapping[str, str], home: Path) -> None:
    """Say to the trackers, in the only way that all of them hear: offline, without telemetry, and in the run's folder.

    What the environment says already about where and whether to send is the user's word, and stays.  No tracker needs
    a GPU, or is one of several processes that train.
    """
    environment.update(
        {
            "WANDB_ERROR_REPORTING": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "1",
            "GRADIO_ANALYTICS_ENABLED": "False",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "CUDA_VISIBLE_DEVICES": "",
            "ACCELERATE_USE_CPU": "true",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
    )
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        environment.pop(name, None)
    environment.setdefault("WANDB_MODE", "offline")
    environment.setdefault("TRACKIO_DIR", str(home))
    environment.setdefault("MLFLOW_TRACKING_URI", mlflow_store(home))


def _be_the_main_process() -> None:
    """Accelerate's trackers ask for it, and log nothing elsewhere."""
    from accelerate.state import PartialState

    PartialState(cpu=True)


def _named(*variables: str) -> bool:
    return any(os.environ.get(name) for name in variables)


def _empty(home: Path) -> None:
    """Make room for the log as the events tell it, from the first."""
    shutil.rmtree(home, ignore_errors=True)


class _Client(Protocol):
    """What is asked of an MLflow client."""

    def get_experiment_by_name(self, name: str) -> _Experiment | None: ...

    def search_runs(self, experiment_ids: list[str], filter_string: str) -> list[_Run]: ...

    def get_metric_history(self, run_id: str, key: str) -> list[_Point]: ...


class _Experiment(Protocol):
    experiment_id: str


class _Point(Protocol):
    step: int


class _Info(Protocol):
    run_id: str


class _Data(Protocol):
    metrics: Mapping[str, float]


class _Run(Protocol):
    info: _Info
    data: _Data
