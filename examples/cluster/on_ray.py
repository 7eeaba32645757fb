"""Train on the machines of a Ray cluster: one torchrun on each, started by Ray.

    ray job submit --address http://HEAD:8265 -- python on_ray.py recipe.yaml runs/the-castle --machines 2 --processes 4

The recipe, its books and the run folder must lie where all machines see the same files.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys

import ray
from ray.util.placement_group import placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy


@ray.remote(max_retries=0)
def address() -> tuple[str, int]:
    """Where this machine can be reached, and a port that is free there."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return ray.util.get_node_ip_address(), probe.getsockname()[1]


@ray.remote(max_retries=0)
def train(number: int, machines: int, processes: int, meeting: tuple[str, int], arguments: list[str]) -> int:
    """One machine's share: its torchrun, which ends when all of them do."""
    host, port = meeting
    launch = [sys.executable, "-m", "torch.distributed.run", f"--nnodes={machines}", f"--nproc-per-node={processes}"]
    where = [f"--node-rank={number}", f"--master-addr={host}", f"--master-port={port}"]
    command = [*launch, *where, "-m", "--", "quire", "train", *arguments]
    return subprocess.run(command, check=False).returncode  # noqa: S603 (what the user has asked for)


def main() -> int:
    parser = argparse.ArgumentParser(description="Train on the machines of a Ray cluster.")
    parser.add_argument("recipe")
    parser.add_argument("run")
    parser.add_argument("--machines", type=int, default=2)
    parser.add_argument("--processes", type=int, default=4, help="on each machine: as many as it has GPUs")
    parser.add_argument("--gpus", type=int, default=4, help="on each machine; 0 trains on its processor")
    parser.add_argument("--cpus", type=int, default=8, help="on each machine")
    parser.add_argument("--pack", action="store_true", help="let several torchruns share one machine, for a trial")
    asked = parser.parse_args()
    ray.init()
    share = {"CPU": asked.cpus, **({"GPU": asked.gpus} if asked.gpus else {})}
    group = placement_group([share] * asked.machines, strategy="PACK" if asked.pack else "STRICT_SPREAD")
    ray.get(group.ready())
    places = [
        PlacementGroupSchedulingStrategy(placement_group=group, placement_group_bundle_index=number)
        for number in range(asked.machines)
    ]
    meeting = ray.get(address.options(num_cpus=1, scheduling_strategy=places[0]).remote())
    shares = [
        train.options(num_cpus=asked.cpus, num_gpus=asked.gpus, scheduling_strategy=place).remote(
            number, asked.machines, asked.processes, meeting, [asked.recipe, "--run", asked.run]
        )
        for number, place in enumerate(places)
    ]
    return max(ray.get(shares))


if __name__ == "__main__":
    sys.exit(main())
