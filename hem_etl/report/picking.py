"""What a person chooses among: figures made with the page. Without a script they are parts that open one by one."""

from collections.abc import Iterable

from markupsafe import Markup

from hem_etl.report.language import Language
from hem_etl.report.markup import Child, tag


def choice(name: str, parts: Iterable[tuple[str, str, Child]], language: Language, *, is_open: bool) -> Markup:
    """(anchor, what it is called, content), of which a script shows one. `is_open`: without it, the first."""
    return tag(
        "div",
        [
            tag("details", tag("summary", called), content, id=anchor, open=is_open and place == 0)
            for place, (anchor, called, content) in enumerate(parts)
        ],
        class_="choice",
        data_name=name,
        data_earlier=language.say("Earlier"),
        data_later=language.say("Later"),
    )
