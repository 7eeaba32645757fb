"""YAML as recipes use it: plain data, friendly numbers, and nothing that could harm.

Numbers and truth values are those of YAML 1.2: `5e-5` is a number, and `no` is a word (or Norwegian).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from quire.errors import RecipeError

MOST_BYTES = 1 << 17
MOST_VALUES = 10_000  # aliases counted as often as they are used
MOST_DEPTH = 24
_LONGEST_NUMBER = 64
_SHOWN = 60

KeyPath = tuple[str | int, ...]

_INT = re.compile(r"[-+]?[0-9][0-9_]*")
_FLOAT = re.compile(r"[-+]?([0-9][0-9_]*\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_TAG = "tag:yaml.org,2002:"
# Of the plain types; what YAML 1.1 takes a word for (a date, say) makes no difference, as `_scalar` looks at the text.
_PLAIN = {_TAG + kind for kind in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp", "merge", "value")}
_LINE_ENDS = re.compile("[\x85\u2028\u2029]")
_BROKEN = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Parsed:
    """The data of a YAML text, and the line (from 1) on which the value of each path stands."""

    data: Any
    lines: Mapping[KeyPath, int]


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Quotes what this module would take for a number, beside what YAML 1.1 would."""


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    """Text as YAML; rare line ends are escaped, which the emitter would otherwise turn into plain ones."""
    return dumper.represent_scalar(_TAG + "str", text, style='"' if _LINE_ENDS.search(text) else None)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_implicit_resolver(_TAG + "float", _FLOAT, list("-+.0123456789"))


def parse_yaml(text: str, name: str) -> Parsed:
    """Parse one YAML document.  RecipeError names `name`, and the line where it can."""
    if len(text) > MOST_BYTES:
        raise RecipeError(f"{name} is too large for a recipe ({len(text):,} characters)", "name a recipe, not a book")
    try:
        _check_shape(text, name)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        builder = _Builder(name)
        data = builder.build(node, ()) if node is not None else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        problem = " ".join(str(error.problem or error.context).split())
        raise RecipeError(f"{name}{line} is not valid YAML: {problem}", _hint(problem), "recipes") from None
    except yaml.YAMLError as error:
        problem = str(error).splitlines()[0]
        raise RecipeError(f"{name} is not valid YAML: {problem}", "save it as plain UTF-8 text", "recipes") from None
    except OverflowError:  # an escape beyond Unicode
        raise RecipeError(f"{name} holds an escape that is no character", "write the character itself") from None
    return Parsed(data, builder.lines)


def parse_value(text: str, name: str) -> Any:
    """A value given by hand: a number, a word, `[a, b]`, `{a: b}`.  What is no YAML is taken as text."""
    try:
        value = parse_yaml(text, name).data
    except RecipeError:
        return text
    return value


def dump_yaml(data: object) -> str:
    """`data` as YAML text that `parse_yaml` reads back as the same."""
    text = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=False)
    assert isinstance(text, str)
    return text


class _Builder:
    """Nodes to plain data: bounded in size and depth, without duplicate keys, without types of others."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[KeyPath, int] = {}
        self._values = 0

    def build(self, node: yaml.Node, path: KeyPath) -> Any:
        self._values += 1
        if self._values > MOST_VALUES or len(path) > MOST_DEPTH:
            raise RecipeError(
                f"{self.name} holds more than a recipe can: too many or endless aliases", "write it plainly"
            )
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        if node.tag not in _PLAIN:
            tag = str(node.tag)[:_SHOWN]
            raise RecipeError(f"{self.name}, line {line}: the type {tag} is not allowed", "write plain values")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        if _BROKEN.search(node.value):
            raise RecipeError(f"{self.name}, line {line}: half a character is escaped there", "write it out")
        return _scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key, value in node.value:
            where = f"{self.name}, line {key.start_mark.line + 1}"
            if not isinstance(key, yaml.ScalarNode):
                raise RecipeError(f"{where}: a key must be a word", "write key: value")
            if key.value in built:
                shown = key.value[:_SHOWN]
                raise RecipeError(f"{where}: {shown} is given twice", f"remove one {shown}")
            built[key.value] = self.build(value, (*path, key.value))
            self.lines[(*path, key.value)] = key.start_mark.line + 1
        return built


def _check_shape(text: str, name: str) -> None:
    """Refuse deep nesting and endless lists before anything recurses into them or builds them."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH:
            raise RecipeError(f"{name} is nested too deeply for a recipe", "write it plainly", "recipes")
        if count > 2 * MOST_VALUES:
            raise RecipeError(f"{name} holds more than a recipe can", "name a recipe, not a book")


def _scalar(node: yaml.ScalarNode) -> Any:
    text = node.value
    assert isinstance(text, str)
    if node.style is not None:
        return text
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if len(text) > _LONGEST_NUMBER:
        return text
    if _INT.fullmatch(text):
        return int(text.replace("_", ""))
    if _FLOAT.fullmatch(text):
        return float(text.replace("_", ""))
    return text


def _hint(problem: str) -> str:
    if "\\t" in problem:
        return "indent with spaces, not tabs"
    if "mapping values are not allowed" in problem or "block end" in problem:
        return "check the indentation there, and put text that holds a colon in quotes"
    return "check that line; put text that holds : # [ ] { } in quotes"
