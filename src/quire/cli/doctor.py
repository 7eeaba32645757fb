"""`quire doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from quire.cli.flags import AsJson
from quire.verbs.doctor import Checkup

EXAMPLES = ("quire doctor", "quire doctor --online --json")


def doctor(
    online: Annotated[bool, typer.Option("--online", help="Also ask whether the model hub can be reached.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measures for about a second. A login to the hub is noticed; its token is never shown."""
    from quire.cli import screen
    from quire.verbs import quiet
    from quire.verbs.doctor import doctor as look

    quiet.hush()
    checkup = look(online=online)
    if as_json:
        screen.print_json(checkup.to_json())
    else:
        _show(checkup)


def _show(checkup: Checkup) -> None:
    from quire.cli import screen

    console = screen.results()
    table = screen.plain_table("", "")
    table.show_header = False
    for name, value in rows(checkup):
        table.add_row(f"[bold]{name}[/bold]", value)
    console.print(table)
    console.print()
    if not checkup.problems:
        console.print("Nothing is in the way of training.")
    for problem in checkup.problems:
        console.print(f"[bold yellow]![/bold yellow] {problem.what}\n  try: {problem.then}")


def rows(checkup: Checkup) -> list[tuple[str, str]]:
    """What is shown, as names and values."""
    from quire.units import show_size

    machine = checkup.machine
    rates = ", ".join(f"{name} {rate / 1e9:,.0f} GFLOP/s" for name, rate in machine.rates)
    memory = f"{show_size(machine.memory_free_bytes)} free of {show_size(machine.memory_bytes)}"
    missing = [extra for extra in checkup.extras if not extra.installed]
    installed = ", ".join(extra.name for extra in checkup.extras if extra.installed) or "none"
    if missing:
        installed += f"; not installed: {', '.join(extra.name for extra in missing)}"
    gpu = machine.gpu or "none"
    if machine.gpu_memory_bytes is not None:
        gpu += f", {show_size(machine.gpu_memory_bytes)}"
    return [
        ("quire", f"{checkup.quire}, Python {checkup.python}, {checkup.system}"),
        (
            "processor",
            f"{checkup.processor}, {machine.cores} cores, {', '.join(checkup.features) or 'no special units'}",
        ),
        ("matrix rates", rates),
        ("precision", f"{checkup.precision}: {checkup.precision_reason}"),
        ("GPU", gpu),
        ("kernels", checkup.kernels),
        ("memory", memory),
        ("disk", f"{show_size(machine.disk_free_bytes)} free here"),
        ("books walled in", checkup.confinement),
        ("libraries", ", ".join(f"{name} {version}" for name, version in checkup.versions)),
        ("extras", installed),
        ("embedded base", "present" if checkup.embedded_base else "missing"),
        ("hub", checkup.hub if checkup.hub != "not asked" else "not asked (quire doctor --online asks)"),
        ("hub login", "yes" if checkup.logged_in else "no"),
    ]
