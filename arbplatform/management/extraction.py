"""Finds every text that a person may read, so that none stays untranslated.

Our own modules are read as syntax trees: texts stand in gettext calls, in ``Message``, as first
argument of our errors, in ``summary`` of an error class, in titles and descriptions of plugin
parameters, and in log templates. Templates go through Django's own reduction.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.extract import extract
from django.utils.translation.template import templatize

GETTEXT: Final = frozenset({"_", "gettext", "gettext_lazy", "gettext_noop"})
NGETTEXT: Final = frozenset({"ngettext", "ngettext_lazy"})
PGETTEXT: Final = frozenset({"pgettext", "pgettext_lazy"})
MESSAGES: Final = frozenset({"Message"})
TEMPLATE_ARGUMENTS: Final = frozenset({"template"})
FIELD_CALLS: Final = frozenset({"Field"})
FIELD_TEXTS: Final = frozenset({"title", "description"})
CLASS_TEXTS: Final = frozenset({"summary", "title", "description"})
_PLACEHOLDER: Final = re.compile(r"\{[^{}]*\}")
_WORD: Final = re.compile(r"[^\W\d_]")
TEMPLATE_SUFFIXES: Final = frozenset({".html", ".txt"})


@dataclass(frozen=True, slots=True, order=True)
class Text:
    """A text in the source.

    Attributes:
        singular: the English text, also the key.
        plural: its plural form, or empty.
        context: gettext context, or empty.
    """

    singular: str
    plural: str = ""
    context: str = ""


def find_texts(root: Path, packages: Iterable[str], errors: frozenset[str]) -> dict[Text, set[str]]:
    """Return every text below ``root`` with the files it stands in.

    Args:
        root: where the packages lie.
        packages: names of directories below ``root``.
        errors: names of our error classes.
    """
    found: dict[Text, set[str]] = {}
    for package in packages:
        for path in sorted((root / package).rglob("*")):
            for text in _texts_in(path, errors):
                found.setdefault(text, set()).add(path.relative_to(root).as_posix())
    return found


def _texts_in(path: Path, errors: frozenset[str]) -> Iterator[Text]:
    if path.suffix == ".py" and "migrations" not in path.parts:
        yield from _Finder(errors).find(ast.parse(path.read_text(encoding="utf-8")))
    elif path.suffix in TEMPLATE_SUFFIXES and "templates" in path.parts:
        yield from _texts_in_template(path)


def _texts_in_template(path: Path) -> Iterator[Text]:
    reduced = templatize(path.read_text(encoding="utf-8"), origin=str(path))
    # what is left of the markup is no Python: its indentation would stop the tokenizer
    source = "\n".join(line.strip() for line in reduced.splitlines())
    yield from _extract("python", source.encode())


def _extract(language: str, source: bytes) -> Iterator[Text]:
    keywords = {"gettext": None, "_": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2)}
    for _line, singular, _comments, context in extract(
        language, BytesIO(source), keywords=keywords
    ):
        if isinstance(singular, tuple):
            yield Text(singular[0], singular[1], context or "")
        elif singular:
            yield Text(singular, context=context or "")


def find_script_texts(root: Path) -> dict[Text, set[str]]:
    """Return every text in the JavaScript files below ``root``, with the files it stands in."""
    found: dict[Text, set[str]] = {}
    for path in sorted(root.rglob("*.js")):
        if path.name.endswith(".min.js"):
            continue
        for text in _extract("javascript", path.read_bytes()):
            found.setdefault(text, set()).add(path.relative_to(root).as_posix())
    return found


class _Finder(ast.NodeVisitor):
    """Collects the texts of one module, also those that it keeps in constants and tables."""

    def __init__(self, errors: frozenset[str]) -> None:
        self._errors = errors
        self._found: list[Text] = []
        self._constants: dict[str, ast.expr] = {}

    def find(self, module: ast.Module) -> list[Text]:
        for statement in module.body:
            value = getattr(statement, "value", None)
            if isinstance(value, ast.Constant | ast.Dict):
                self._constants.update(dict.fromkeys(_assigned_names(statement), value))
        self.visit(module)
        return [text for text in self._found if _WORD.search(_PLACEHOLDER.sub("", text.singular))]

    def visit_Call(self, node: ast.Call) -> None:
        name = _name_of(node.func)
        first = self._strings(node.args[0]) if node.args else []
        if name in GETTEXT | MESSAGES | self._errors:
            self._found.extend(map(Text, first))
        elif name in NGETTEXT and len(node.args) > 1:
            self._found.extend(map(Text, first, self._strings(node.args[1])))
        elif name in PGETTEXT and len(node.args) > 1:
            self._found.extend(
                Text(text, context=first[0]) for text in self._strings(node.args[1]) if first
            )
        wanted = FIELD_TEXTS if name in FIELD_CALLS else TEMPLATE_ARGUMENTS
        for argument in node.keywords:
            if argument.arg in wanted:
                self._found.extend(map(Text, self._strings(argument.value)))
        self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for statement in node.body:
            names = _assigned_names(statement)
            value = getattr(statement, "value", None)
            if value is not None and names & CLASS_TEXTS:
                self._found.extend(map(Text, self._strings(value)))
        self.generic_visit(node)

    def _strings(self, node: ast.expr) -> list[str]:
        """Return what ``node`` may evaluate to, as far as the module tells."""
        match node:
            case ast.Constant(value=str(text)):
                return [text]
            case ast.IfExp(body=one, orelse=other):
                return self._strings(one) + self._strings(other)
            case ast.Name(id=name) if name in self._constants:
                return self._strings(self._constants[name])
            case ast.Subscript(value=ast.Name(id=name)) if name in self._constants:
                return self._strings(self._constants[name])
            case ast.Dict(values=values):
                return [text for value in values for text in self._strings(value)]
            case _:
                return []


def _name_of(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _assigned_names(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.Assign):
        return {target.id for target in statement.targets if isinstance(target, ast.Name)}
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return {statement.target.id}
    return set()
