"""YAML text as plain values, with the line of every key, and with what is wrong in it.

The composed nodes are walked here rather than handed to PyYAML's constructor, because only nodes
still know their lines, whether a scalar was quoted, and that a key was given twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from ubiops_file_sync.config.faults import Fault, KeyPath
from ubiops_file_sync.config.variables import expand, is_reference

_TAG = "tag:yaml.org,2002:"
_MAX_NODES = 20_000
"""Hundreds of profiles fit; aliases that multiply each other do not."""
_MAX_DEPTH = 32
"""Recursive aliases end here."""

# What PyYAML says, in part, and what we say. Its own words quote the text of the file, where a
# token may stand, so none of them is ever passed on (invariant I9). The first that fits holds.
_SYNTAX = (
    ("character '\\t'", "a tab is used for indentation; use spaces"),
    ("but found another document", "a second document begins here; keep one, without '---'"),
    ("unexpected end of stream", "a quote that opens here is never closed; close it"),
    ("alias", "a value that begins with '*' refers to nothing here; put it in quotes"),
    ("anchor", "an anchor ('&name') is out of place or taken; rename it, or quote the value"),
    ("cannot start any token", "this value begins with a special character; put it in quotes"),
    ("mapping values are not allowed", "a ':' is out of place; check the indentation and quotes"),
    ("could not find expected ':'", "this line is no 'key: value'; check the ':' and indentation"),
    ("flow", "a '[' or '{' is not closed as it should be; check the brackets and quotes"),
    ("escape", "a backslash in double quotes is not usable here; use single quotes"),
    ("<block end>", "this does not fit what is above it; check the indentation and quotes"),
    ("tag", "a value that begins with '!' is not usable here; put it in quotes"),
)
_NOT_YAML = "this is not YAML; check the indentation, quotes and brackets near this line"


@dataclass(slots=True)
class Document:
    """What a text holds, as far as it could be read."""

    data: object = None
    """Dicts with text keys, lists, text, int, float, bool, None. Dates stay text."""
    lines: dict[KeyPath, int] = field(default_factory=dict)
    """The line of each key and list item, counted from 1."""
    faults: list[Fault] = field(default_factory=list)
    unreadable: set[KeyPath] = field(default_factory=set)
    """Values that stand in `faults` already: None in `data`, and not worth a second complaint."""
    references: set[KeyPath] = field(default_factory=set)
    """Values that are one `${NAME}`: the file itself does not hold them."""
    expanded: set[KeyPath] = field(default_factory=set)
    """Values in which a variable stands, or several."""

    def line(self, path: KeyPath) -> int | None:
        """The line of the path, or of the nearest key above it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


def read_yaml(text: str, env: Mapping[str, str]) -> Document:
    """The text's values with variables expanded; what is wrong is in `faults`, nothing is raised.

    Of a key given twice the first value is kept. Merge keys (`<<`) and aliases are followed.
    """
    document = Document()
    root = _compose(text, document)
    if root is not None:
        walker = _Walker(env, document)
        try:
            document.data = walker.value(root, (), 0)
        except _TooMuchError:
            document.faults = [Fault((), "it is too large or nested too deeply; make it smaller")]
    return document


def _compose(text: str, document: Document) -> yaml.Node | None:
    """The root node; None, with a fault or without one, if there is none."""
    loader: yaml.SafeLoader | None = None
    try:
        loader = yaml.SafeLoader(text)
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        document.faults.append(_syntax_fault(error))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        document.faults.append(Fault((), "a control character stands here; remove it", line))
    except RecursionError:
        document.faults.append(Fault((), "it is nested too deeply; make it flatter"))
    finally:
        if loader is not None:
            loader.dispose()
    return None


def _syntax_fault(error: yaml.MarkedYAMLError) -> Fault:
    said = f"{error.context or ''} {error.problem or ''}"
    message = next((ours for theirs, ours in _SYNTAX if theirs in said), _NOT_YAML)
    # A quote is missed only at the end of the file; where it opens is what one wants to know.
    opened = "scanning a quoted scalar" in said and error.context_mark is not None
    mark = error.context_mark if opened else error.problem_mark
    return Fault((), message, None if mark is None else mark.line + 1)


class _TooMuchError(Exception):
    """More nodes or levels than a configuration has."""


class _Walker:
    """Turns nodes into values, noting lines and faults in the document."""

    def __init__(self, env: Mapping[str, str], document: Document) -> None:
        self._env = env
        self._document = document
        self._visited = 0
        self._constructor = yaml.constructor.SafeConstructor()
        self._resolver = yaml.resolver.Resolver()

    def value(self, node: yaml.Node, path: KeyPath, depth: int) -> object:
        """The node's value. Raises _TooMuchError at the bounds, which recursive aliases reach."""
        self._count(depth)
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return self._sequence(node, path, depth)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        self._refuse(node, path, "a '!' tag is not usable here; remove it")
        return None

    def _count(self, depth: int) -> None:
        self._visited += 1
        if self._visited > _MAX_NODES or depth > _MAX_DEPTH:
            raise _TooMuchError

    def _refuse(self, node: yaml.Node, path: KeyPath, message: str) -> None:
        line = self._document.lines.get(path, node.start_mark.line + 1)
        self._document.faults.append(Fault(path, message, line))
        self._document.unreadable.add(path)

    def _sequence(self, node: yaml.SequenceNode, path: KeyPath, depth: int) -> list[object]:
        items: list[object] = []
        for number, item in enumerate(node.value):
            place = (*path, str(number))
            self._document.lines[place] = item.start_mark.line + 1
            items.append(self.value(item, place, depth + 1))
        return items

    def _mapping(self, node: yaml.MappingNode, path: KeyPath, depth: int) -> dict[str, object]:
        values: dict[str, object] = {}
        for key, value_node, line, merged in self._pairs(node, path, depth):
            place = (*path, key)
            if key not in values:
                self._document.lines[place] = line
                values[key] = self.value(value_node, place, depth + 1)
            elif not merged:
                self._count(depth)
                first = self._document.lines[place]
                message = f"is given twice, first on line {first}; keep one"
                self._document.faults.append(Fault(place, message, line))
        return values

    def _pairs(
        self, node: yaml.MappingNode, path: KeyPath, depth: int
    ) -> Iterator[tuple[str, yaml.Node, int, bool]]:
        """The mapping's own keys, then those that it merges in, which never override a key."""
        merges: list[yaml.Node] = []
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == f"{_TAG}merge":
                merges.append(value_node)
            elif isinstance(key_node, yaml.ScalarNode) and key_node.tag.startswith(_TAG):
                # Keys are taken as they are written, so that `2024:` and `no:` are plain names.
                yield key_node.value, value_node, line, False
            else:
                message = "a key here is no plain word; write 'key: value'"
                self._document.faults.append(Fault(path, message, line))
        for merge in merges:
            for source in merge.value if isinstance(merge, yaml.SequenceNode) else [merge]:
                yield from self._merged(source, path, depth + 1)

    def _merged(
        self, source: yaml.Node, path: KeyPath, depth: int
    ) -> Iterator[tuple[str, yaml.Node, int, bool]]:
        self._count(depth)
        if not isinstance(source, yaml.MappingNode):
            message = "'<<' takes a mapping or a list of them; refer to one with *name"
            self._document.faults.append(Fault(path, message, source.start_mark.line + 1))
            return
        for key, value_node, line, _ in self._pairs(source, path, depth):
            yield key, value_node, line, True

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> object:
        text, tag = node.value, node.tag
        if "${" in text:
            self._document.expanded.add(path)
            if is_reference(text):
                self._document.references.add(path)
            try:
                text = expand(text, self._env)
            except ValueError as error:
                self._refuse(node, path, str(error))
                return None
            # A plain scalar is typed only now, so that `workers: ${W}` is a number; an empty one
            # stays text, for `bucket_dir: ${DIR:-}` means the empty text and not "no value".
            if node.style is None and tag == f"{_TAG}str" and text:
                tag = self._resolver.resolve(  # type: ignore[no-untyped-call]
                    yaml.ScalarNode, text, (True, False)
                )
        return self._typed(node, tag, text, path)

    def _typed(self, node: yaml.ScalarNode, tag: str, text: str, path: KeyPath) -> object:
        scalar = yaml.ScalarNode(tag, text)
        try:
            match tag.removeprefix(_TAG):
                case "null":
                    return None
                case "bool":
                    return self._constructor.construct_yaml_bool(scalar)
                case "int":
                    return self._constructor.construct_yaml_int(scalar)
                case "float":
                    return self._constructor.construct_yaml_float(scalar)
                case "str" | "timestamp" | "value" | "merge":
                    return text
        except (ValueError, KeyError, IndexError):
            self._refuse(node, path, "is no number or true/false; put it in quotes")
            return None
        self._refuse(node, path, "a '!' tag is not usable here; remove it")
        return None
