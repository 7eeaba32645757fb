"""The launch files of examples/cluster: whole, and in agreement with their page and with torchrun."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest
import yaml

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
