"""Words, numbers and dates as people of a language write them. What is missing is a dash, never a zero."""

import json
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from typing import Final

MISSING: Final = "–"
LANGUAGES: Final = ("en", "de")

_MONTHS: Final = {
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    "de": ("Jan.", "Feb.", "März", "Apr.", "Mai", "Juni", "Juli", "Aug.", "Sept.", "Okt.", "Nov.", "Dez."),
}
_WEEKDAYS: Final = {
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    "de": ("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"),
}


@dataclass(frozen=True, slots=True)
class Language:
    """English (`en`) or German (`de`)."""

    code: str = "en"

    def say(self, text: str, **parts: object) -> str:
        """The text, which is English here, in this language."""
        said = german()[text] if self.code == "de" else text
        return said.format(**parts) if parts else said

    def number(self, value: float | int | None, digits: int = 1) -> str:
        if value is None:
            return MISSING
        text = f"{value:,.{digits}f}"
        text = text.removeprefix("-") if not text.strip("-0.,") else text.replace("-", "−")
        return text.translate(str.maketrans(",.", ".,")) if self.code == "de" else text

    def share(self, value: float | None, digits: int = 0) -> str:
        """0–1 as per cent; what is not quite all never rounds to 100 %, what is not quite nothing never to 0 %."""
        if value is None:
            return MISSING
        if 0 < value < 1:
            least = 0.5 * 10.0**-digits
            if 100 * value >= 100 - least:
                return f"> {self.number(100 - 2 * least, digits)} %"
            if 100 * value < least:
                return f"< {self.number(2 * least, digits)} %"
        return f"{self.number(100 * value, digits)} %"

    def day(self, value: date | None) -> str:
        if value is None:
            return MISSING
        if self.code == "de":
            return f"{value.day:02d}.{value.month:02d}.{value.year}"
        return f"{value.day} {_MONTHS['en'][value.month - 1]} {value.year}"

    def days(self, first: date, last: date) -> str:
        """From one to the other, or the one that they are."""
        return self.day(first) if first == last else f"{self.day(first)} – {self.day(last)}"

    def short_day(self, value: date) -> str:
        """Without the year: for axes."""
        return f"{value.day}. {value.month}." if self.code == "de" else f"{value.day} {_MONTHS['en'][value.month - 1]}"

    def month(self, value: date) -> str:
        return f"{_MONTHS[self.code][value.month - 1]} {value.year}"

    def weekday(self, value: date) -> str:
        return _WEEKDAYS[self.code][value.weekday()]

    def weekdays(self) -> tuple[str, ...]:
        return _WEEKDAYS[self.code]

    def instant(self, value: datetime | None, unit: str = "") -> str:
        """Day and time; `unit` says whose time."""
        return MISSING if value is None else f"{self.day(value.date())} {value:%H:%M} {unit}".rstrip()


@cache
def german() -> dict[str, str]:
    """What the report says, by the English text. What a mart says (outcomes, reasons, explanations) stays English."""
    found: dict[str, str] = json.loads(files("hem_etl.report").joinpath("german.json").read_text(encoding="utf-8"))
    return found
