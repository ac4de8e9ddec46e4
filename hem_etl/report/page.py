"""The shell of a page: one file that asks nobody for anything, and says so to the browser."""

import hashlib
import shlex
from base64 import b64encode
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Final

from markupsafe import Markup

from hem_etl.facts.reports import Scope
from hem_etl.report.language import Language
from hem_etl.report.markup import Child, tag
from hem_etl.report.plot import patterns

GENERATOR: Final = "hem-etl report"


def page(
    title: str,
    lead: Child,
    sections: Iterable[tuple[str, str, Child]],
    scope: Scope,
    language: Language,
    *,
    off_paper: str,
) -> str:
    """The whole file. Sections: (anchor, heading, content). `off_paper`: what a print leaves out."""
    parts = list(sections)
    policy = (
        f"default-src 'none'; style-src 'sha256-{_sha256(_text('style.css'))}'; "
        f"script-src 'sha256-{_sha256(_text('page.js'))}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="generator", content=GENERATOR),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        tag("style", Markup(_text("style.css"))),  # noqa: S704 - our own files
    )
    body = tag(
        "body",
        patterns(),
        tag("header", tag("h1", title), tag("p", _about(scope, language), class_="soft"), lead),
        tag(
            "main",
            tag(
                "nav",
                tag("ul", [tag("li", tag("a", heading, href=f"#{anchor}")) for anchor, heading, _ in parts]),
                aria_label=language.say("On this page"),
            ),
            [tag("section", tag("h2", heading), content, id=anchor) for anchor, heading, content in parts],
        ),
        tag(
            "footer",
            tag(
                "p",
                language.say("Made by `hem-etl report` from the published file; nothing here comes from a network."),
            ),
            tag(
                "p",
                language.say(
                    "–: nobody knows, which is not zero. ≥: some of the time is missing, so it is at least so much."
                ),
            ),
            tag("p", language.say("(low … high): where a ratio can lie, whatever the missing time held.")),
            tag("p", off_paper, class_="paper"),
        ),
        tag("script", Markup(_text("page.js"))),  # noqa: S704
    )
    return f"<!doctype html>\n{tag('html', head, body, lang=language.code)}\n"


def tile(name: Child, value: Child, *more: Child) -> Markup:
    """One number with its name, unit and what must be known beside it."""
    return tag(
        "div",
        tag("dt", name),
        tag("dd", value, class_="value"),
        [tag("dd", line, class_="more soft") for line in more if line],
        class_="tile",
    )


def tiles(content: Iterable[Markup]) -> Markup:
    return tag("dl", content, class_="tiles")


def note(*content: Child, is_warning: bool = False) -> Markup:
    """What a person should know before the rest."""
    return tag("p", content, class_="note warn" if is_warning else "note")


def command(*words: str) -> Markup:
    """A command to paste: whatever stands in a word, a shell reads it as one word."""
    return tag("code", " ".join(["hem-etl", *(shlex.quote(word) for word in words)]))


def explain_command(system_id: str, day: object) -> Markup:
    """From a day's numbers back to their source."""
    divider = ["--"] if system_id.startswith("-") else []
    return command("explain", *divider, system_id, str(day))


def _about(scope: Scope, language: Language) -> str:
    return language.say(
        "{start} to {end}, local days of each home; as published after the look of {look}.",
        start=language.day(scope.start),
        end=language.day(scope.end),
        look=language.instant(scope.newest_look_utc, "UTC"),
    )


@cache
def _text(name: str) -> str:
    return files("hem_etl.report").joinpath(name).read_text(encoding="utf-8")


def _sha256(text: str) -> str:
    return b64encode(hashlib.sha256(text.encode()).digest()).decode()
