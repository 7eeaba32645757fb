"""The launch files of examples/cluster: whole, and in agreement with their page and with torchrun."""

from __future__ import annotations

import ast
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from quire.run.events import EventLog

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "examples" / "cluster"
FILES = sorted(path.name for path in FOLDER.iterdir() if path.is_file())


def test_the_page_links_to_every_file() -> None:
    page = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\(\.\./examples/cluster/([^)]+)\)", page)) == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_quire_stands_behind_two_dashes_or_torchrun_takes_run_for_an_option_of_its_own(name: str) -> None:
    found = re.findall(r"[\w./$-]+", (FOLDER / name).read_text(encoding="utf-8"))
    words = [word for word in found if word != "-"]  # items of a YAML list
    starts = [index for index, word in enumerate(words) if word == "quire" and words[index + 1] == "train"]
    assert any(words[index - 1] == "--" for index in starts)


def test_torchrun_hands_everything_behind_them_on() -> None:
    from torch.distributed.run import get_args_parser

    parser = get_args_parser()
    told = parser.parse_args(["--nnodes=2", "-m", "--", "quire", "train", "r.yaml", "--run", "x", "--set", "a=1"])
    assert (told.training_script, told.training_script_args) == (
        "quire",
        ["train", "r.yaml", "--run", "x", "--set", "a=1"],
    )
    with pytest.raises(SystemExit):
        parser.parse_args(["--nnodes=2", "-m", "quire", "train", "r.yaml", "--run", "x"])


def test_the_pods_find_the_first_by_the_service_that_selects_them() -> None:
    service, job = yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text(encoding="utf-8"))
    pod = job["spec"]["template"]
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert pod["spec"]["subdomain"] == service["metadata"]["name"]
    arguments = pod["spec"]["containers"][0]["args"]
    assert f"--nnodes={job['spec']['completions']}" in arguments
    first = f"{job['metadata']['name']}-0.{service['metadata']['name']}"
    assert any(argument.startswith(f"--rdzv-endpoint={first}:") for argument in arguments)


def test_the_scripts_can_be_read() -> None:
    subprocess.run(["bash", "-n", str(FOLDER / "slurm.sbatch")], check=True)
    ast.parse((FOLDER / "on_ray.py").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("earlier", "told", "code", "requeued"),
    [
        (["step", "checkpoint"], ["resume", "step", "checkpoint", "stopped"], 1, True),
        (["step"], ["checkpoint", "stopped", "energy"], 1, True),
        (["step", "checkpoint"], ["resume", "step", "error"], 1, False),
        (["step", "checkpoint", "stopped"], [], 1, False),
        (["step", "checkpoint", "stopped"], ["resume", "step", "done"], 0, False),
        ([], [], 1, False),
    ],
    ids=["stopped", "stopped, metered", "a bug", "a changed setting", "done", "no run at all"],
)
def test_a_job_goes_into_the_queue_again_only_where_it_was_stopped(
    earlier: list[str], told: list[str], code: int, requeued: bool, tmp_path: Path
) -> None:
    """With programs in place of Slurm's that note what they are asked; `srun` tells what workers would have told."""
    run = tmp_path / "run"
    for name, kinds in (("run", earlier), ("later", told)):
        (tmp_path / name).mkdir()
        with EventLog(tmp_path / name / "events.jsonl") as log:
            for kind in kinds:
                log.append(kind, "train", 0, 4)
    if earlier:
        (run / "checkpoints" / "0000004").mkdir(parents=True)
    later = tmp_path / "later" / "events.jsonl"
    programs = {
        "scontrol": f'[ "$1" = requeue ] && echo "$2" >>{tmp_path}/requeued; echo node0',
        "srun": f"[ ! -e {later} ] || cat {later} >>{run}/events.jsonl; exit {code}",
    }
    for name, body in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    slurm = {"SLURM_JOB_ID": "41", "SLURM_NNODES": "2", "SLURM_JOB_NODELIST": "node[0-1]", "SLURM_CPUS_PER_TASK": "4"}
    done = subprocess.run(
        ["bash", str(FOLDER / "slurm.sbatch"), "recipe.yaml", str(run)],
        env=os.environ | slurm | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (code, "")
    assert (tmp_path / "requeued").exists() == requeued
