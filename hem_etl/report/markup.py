"""HTML and SVG as values: whatever is no `Markup` is escaped, so no text from outside can be markup."""

import re
from collections.abc import Iterable
from typing import Final

from markupsafe import Markup, escape

Child = str | int | None | Iterable["Child"]
"""Text is escaped, Markup (which is a str) is not; None is nothing."""
Value = str | int | float | bool | None

_EMPTY: Final = frozenset({"meta"})
_NAMES: Final = {"class_": "class", "viewbox": "viewBox"}
_SPECIAL: Final = re.compile(r"""[&<>"']""")


def tag(name: str, /, *children: Child, **attributes: Value) -> Markup:
    """An element. `class_` is class, `aria_label` is aria-label; True is a bare attribute, None and False are none."""
    parts = ["<", name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        spelt = _NAMES.get(key) or key.replace("_", "-")
        parts.append(f" {spelt}" if value is True else f' {spelt}="{_attribute(value)}"')
    parts.append(">")
    if name not in _EMPTY:
        for child in children:
            _add(child, parts)
        parts.append(f"</{name}>")
    # names are our own, all else is escaped; Markup() would ask each of a page's ten thousands of elements what it is
    return str.__new__(Markup, "".join(parts))


def joined(parts: Iterable[Child], between: str) -> list[Child]:
    """The parts with a text between them."""
    result: list[Child] = []
    for part in parts:
        result += [between, part] if result else [part]
    return result


def text_of(child: Child) -> str:
    """What a person reads of it."""
    return tag("p", child).striptags()


def _add(child: Child, parts: list[str]) -> None:
    if child is None:
        return
    if isinstance(child, Markup):
        parts.append(child)
    elif isinstance(child, str | int):
        parts.append(_escaped(str(child)))
    else:
        for each in child:
            _add(each, parts)


def _attribute(value: str | int | float) -> str:
    """Numbers as short as a picture needs them."""
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return _escaped(str(value))


def _escaped(text: str) -> str:
    """As text.

    What is no print, blank or line end is spelt out: nothing turns the direction of writing or ends the file.
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
    return escape(text) if _SPECIAL.search(text) else text
