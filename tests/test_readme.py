"""What the README and the guide say is true: code runs, recipes are valid, commands parse, links lead somewhere."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

from quire.cli.app import VERBS, build
from quire.recipe.bases import advice_for
from quire.recipe.load import load_recipe

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(text: str, language: str) -> list[str]:
    """The fenced code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def anchors(page: str) -> set[str]:
    """What `#…` can point to in a page: its headings, as GitHub makes links of them, and its named places."""
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)"></a>', page))


@pytest.mark.parametrize("code", blocks(README, "python"))
def test_the_python_of_the_readme_runs(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    assert (tmp_path / "runs" / "tale" / "voice" / "adapter_model.safetensors").is_file()
    assert (tmp_path / "runs" / "tale" / "report" / "report.html").is_file()
    assert len(capsys.readouterr().out) > 100


@pytest.mark.parametrize("text", blocks(README, "yaml"))
def test_the_recipe_of_the_readme_is_valid(text: str, tmp_path: Path) -> None:
    (tmp_path / "novel.epub").touch()
    file = tmp_path / "recipe.yaml"
    file.write_text(text, encoding="utf-8")
    advice = advice_for("embedded")
    loaded = load_recipe(file, advice=advice)
    assert loaded.recipe.base == "embedded"
    assert {key for key, origin in loaded.provenance.items() if origin.startswith("advice")} == set(advice)


def commands() -> list[str]:
    lines = [line for block in blocks(README, "text") for line in block.splitlines()]
    return [line.partition("#")[0].strip() for line in lines if line.startswith("quire ")]


@pytest.mark.parametrize("command", commands())
def test_the_commands_of_the_readme_parse(command: str) -> None:
    """With `--help` at the end a command is parsed and not carried out."""
    verb = shlex.split(command)[1]
    assert verb in VERBS
    assert build(verb)(args=[*shlex.split(command)[1:], "--help"], prog_name="quire", standalone_mode=False) in (
        0,
        None,
    )


@pytest.mark.parametrize("target", re.findall(r"^make ([a-z-]+)", "\n".join(blocks(README, "text")), re.MULTILINE))
def test_make_knows_the_targets_of_the_readme(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        file, _, anchor = target.partition("#")
        if file.startswith(("http:", "https:")):
            continue
        goal = page.parent / file if file else page
        assert goal.exists(), f"{page.name} links to {target}"
        if anchor and goal.suffix == ".md":
            assert anchor in anchors(goal.read_text(encoding="utf-8")), f"{page.name} links to {target}"


def guide_links() -> list[tuple[str, str]]:
    """Every place of the guide an error or warning in the source names: as third argument, or as `guide=`."""
    found = []
    for file in sorted((ROOT / "src" / "quire").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                named = [keyword.value for keyword in node.keywords if keyword.arg == "guide"]
                values = [*named, *(node.args[2:3] if _is_error(node.func) else [])]
                found += [(file.name, v.value) for v in values if isinstance(v, ast.Constant) and v.value]
    return found


def _is_error(name: ast.expr) -> bool:
    return isinstance(name, ast.Name) and (name.id.endswith("Error") or name.id in ("DiskFull", "Stopped", "Warned"))


@pytest.mark.parametrize(("file", "anchor"), sorted(set(guide_links())))
def test_the_guide_has_every_place_that_errors_and_warnings_point_to(file: str, anchor: str) -> None:
    assert anchor in anchors(GUIDE)


def test_errors_do_point_to_the_guide() -> None:
    assert len(guide_links()) >= 5
