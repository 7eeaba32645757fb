"""Two machines: two network namespaces, joined by a cable, that share nothing but the files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from quire.run.events import read_events
from toy import toy_book

HOSTS = ("10.77.41.1", "10.77.41.2")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def hosts() -> Iterator[list[tuple[str, str]]]:
    """Name and cable of two namespaces; skipped where this machine lets nobody make them."""
    mark = f"{os.getpid() % 10_000}"
    made = [(f"quire{mark}{side}", f"q{mark}{side}") for side in "ab"]
    (one, cable), (two, end) = made
    try:
        ip("netns", "add", one)
        ip("netns", "add", two)
        ip("link", "add", cable, "netns", one, "type", "veth", "peer", "name", end, "netns", two)
        for (name, link), address in zip(made, HOSTS, strict=True):
            ip("-n", name, "addr", "add", f"{address}/24", "dev", link)
            ip("-n", name, "link", "set", link, "up")
            ip("-n", name, "link", "set", "lo", "up")
    except (OSError, subprocess.CalledProcessError) as error:
        for name, _ in made:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        pytest.skip(f"no network namespaces here: {error}")
    yield made
    for name, _ in made:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def on_all(hosts: Sequence[tuple[str, str]], arguments: Sequence[str]) -> list[tuple[int, str]]:
    """The same torchrun on every host, each with its number: exit codes and what was said."""
    started = []
    for number, (name, link) in enumerate(hosts):
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"]
        meeting = [f"--node-rank={number}", f"--master-addr={HOSTS[0]}", "--master-port=29511"]
        started.append(
            subprocess.Popen(
                ["ip", "netns", "exec", name, *torchrun, *meeting, *arguments],
                env=os.environ | {"GLOO_SOCKET_IFNAME": link, "OMP_NUM_THREADS": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    try:
        said = [process.communicate(timeout=240)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    return [(process.returncode, text) for process, text in zip(started, said, strict=True)]


MEET = """
import sys
from pathlib import Path
from quire.run.place import place_here
from quire.training.together.ranks import joined
with joined() as ranks:
    total = ranks.sum(ranks.rank + 1)[0]
    Path(sys.argv[1], str(ranks.rank)).write_text(f"{ranks.count} {total}")
"""


def test_two_hosts_meet(hosts: list[tuple[str, str]], tmp_path: Path) -> None:
    script = tmp_path / "meet.py"
    script.write_text(MEET, encoding="utf-8")
    for code, said in on_all(hosts, [str(script), str(tmp_path)]):
        assert code == 0, said
    assert [(tmp_path / number).read_text() for number in "01"] == ["2 3.0", "2 3.0"]


@pytest.mark.slow
def test_two_hosts_train_one_voice(hosts: list[tuple[str, str]], tiny_base: Path, tmp_path: Path) -> None:
    book = toy_book(tmp_path / "river.md")
    settings = ["window=64", "steps=4", "precision=fp32", "method.lora.rank=4", "effective_batch=4"]
    words = [word for setting in settings for word in ("--set", f"train.{setting}")]
    arguments = ["-m", "--", "quire", "train", str(book), "--base", str(tiny_base), "--run", str(tmp_path / "run")]
    one, two = on_all(hosts, [*arguments, *words, "--set", "write.max_new_tokens=4"])
    assert one[0] == two[0] == 0, one[1] + two[1]
    assert one[1].rstrip().endswith(str(tmp_path / "run")), "the first says where the run is"
    assert "loss" not in two[1], "the other says nothing of it"
    steps = [event.step for event in read_events(tmp_path / "run" / "events.jsonl") if event.kind == "step"]
    assert steps == [1, 2, 3, 4]
    assert (tmp_path / "run" / "voice" / "adapter_model.safetensors").is_file()
