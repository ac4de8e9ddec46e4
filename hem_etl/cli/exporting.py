"""Rows of a query in a file that a person names, as CSV, Parquet or JSON; CSV on standard output, too."""

import io
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from hem_etl.disk import replacing
from hem_etl.errors import UsageError, disk_trouble

if TYPE_CHECKING:
    import polars as pl

_FRAME_WRITERS: Final[Mapping[str, Callable[["pl.DataFrame", Any], object]]] = {
    "csv": lambda frame, file: frame.write_csv(file),
    "parquet": lambda frame, file: frame.write_parquet(file),
}


def chosen_kind(output: Path | None, **asked: bool) -> str:
    """`json`, `csv`, `parquet`, or `table`. UsageError where the options do not say one thing."""
    chosen = [name for name, is_asked in asked.items() if is_asked]
    ending = "" if output is None else output.suffix.lower().removeprefix(".")
    if len(chosen) > 1:
        raise UsageError(f"--{chosen[0]} and --{chosen[1]} are two formats: give one")
    if chosen == ["parquet"] and output is None:
        raise UsageError("--parquet is no text: name a file with --output FILE.parquet")
    if not chosen and output is not None and ending not in asked:
        raise UsageError(
            f"--output {output} ends in none of .csv, .parquet, .json: say which with --csv, --parquet or --json"
        )
    return chosen[0] if chosen else ending or "table"


def print_csv(frame: "pl.DataFrame") -> None:
    """All rows on standard output. Errors as `write_frame`."""
    text = io.BytesIO()
    write_frame(frame, "csv", text)
    sys.stdout.write(text.getvalue().decode())


def write_frame(frame: "pl.DataFrame", kind: str, file: BinaryIO) -> None:
    """kind: `csv` or `parquet`. UsageError that names the columns it cannot hold; OSError where the disk refuses."""
    from polars.exceptions import PanicException, PolarsError

    def refusal(rows: "pl.DataFrame", to: BinaryIO) -> BaseException | None:
        try:
            _FRAME_WRITERS[kind](rows, to)
        except (PolarsError, PanicException) as error:  # a panic is no Exception
            return error
        return None

    if (error := refusal(frame, file)) is None:
        return
    odd = [column.name for column in frame if refusal(column.to_frame(), io.BytesIO()) is not None]
    if not odd:  # it holds them all, in memory
        raise OSError(str(error)) from error
    raise UsageError(
        f"{kind} cannot hold {', '.join(odd)} ({error}): cast what is odd to varchar in the query, or write JSON"
    ) from error


@contextmanager
def writing(path: Path, *, is_private: bool = False) -> Iterator[BinaryIO]:
    """The file that a person named, as by `replacing`; UsageError where it cannot be written."""
    try:
        with replacing(path, is_private=is_private) as file:
            yield file
    except OSError as error:
        raise UsageError(f"cannot write {path}: {disk_trouble(error)}") from error
