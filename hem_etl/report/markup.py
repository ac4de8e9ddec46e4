"""HTML and SVG as values: whatever is no `Markup` is escaped, so no text from outside can be markup."""

from collections.abc import Iterable
from typing import Final

from markupsafe import Markup, escape

Child = str | int | None | Iterable["Child"]
"""Text is escaped, Markup (which is a str) is not; None is nothing."""
Value = str | int | float | bool | None

_EMPTY: Final = frozenset({"meta"})
_NAMES: Final = {"class_": "class", "viewbox": "viewBox"}


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
    return Markup("".join(parts))  # noqa: S704 - names are our own, all else is escaped


def joined(parts: Iterable[Child], between: str) -> list[Child]:
    """The parts with a text between them."""
    result: list[Child] = []
    for part in parts:
        result += [between, part] if result else [part]
    return result


def _add(child: Child, parts: list[str]) -> None:
    if child is None:
        return
    if isinstance(child, Markup):
        parts.append(child)
    elif isinstance(child, str | int):
        parts.append(escape(_visible(str(child))))
    else:
        for each in child:
            _add(each, parts)


def _attribute(value: str | int | float) -> str:
    """Numbers as short as a picture needs them."""
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return escape(_visible(str(value)))


def _visible(text: str) -> str:
    """What is no print, blank or line end is spelt out: nothing turns the direction of writing or ends the file."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
