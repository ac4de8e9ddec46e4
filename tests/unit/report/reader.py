"""Reads a page of the report as a browser does: elements, text, and the files that its links hold."""

import csv
import io
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import unquote

EMPTY = {"meta"}


@dataclass
class Element:
    """One element with what is in it."""

    name: str
    attributes: dict[str, str]
    children: "list[Element | str]" = field(default_factory=list)

    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text() for child in self.children)

    def all(self, name: str | None = None, **attributes: str) -> "list[Element]":
        """Every element below it of that name with these attributes (`class_` is class)."""
        found: list[Element] = []
        for child in self.children:
            if isinstance(child, str):
                continue
            wanted = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
            if name in (None, child.name) and wanted.items() <= child.attributes.items():
                found.append(child)
            found += child.all(name, **attributes)
        return found

    def one(self, name: str | None = None, **attributes: str) -> "Element":
        (found,) = self.all(name, **attributes)
        return found

    def rows(self) -> list[list[str]]:
        """The text of a table's body."""
        return [[cell.text() for cell in row.all("td")] for row in self.one("tbody").all("tr")]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag} has an attribute twice"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in EMPTY:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().name == tag, "elements are nested"

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)

    def whole(self) -> Element:
        assert self._open == [self.root], f"{self._open[-1].name} stays open"
        return self.root


def read_page(text: str) -> Element:
    """The page; AssertionError where elements are not nested."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader.whole()


def files_of(page: Element) -> dict[str, list[dict[str, str]]]:
    """The rows of each file that the page holds, by the file's name."""
    found = {}
    for link in page.all("a"):
        address = link.attributes.get("href", "")
        if address.startswith("data:text/csv"):
            content = unquote(address.partition(",")[2])
            found[link.attributes["download"].removesuffix(".csv")] = list(csv.DictReader(io.StringIO(content)))
    return found
