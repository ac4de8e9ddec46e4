"""Where a lake's Parquet files lie: a folder that its machines share, or a bucket of S3 or what speaks like it.

DuckDB reads and writes them itself; here stands what it must be told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hem_etl.errors import SettingsError
from hem_etl.settings import Settings
from hem_etl.warehouse.models.header import literal

AS_NAMED: Final = "hem_data"
"""What DuckDB calls the bucket's keys."""


@dataclass(frozen=True, slots=True)
class Storage:
    """A place for files."""

    path: str
    """Told to a new lake, and compared with what an old one was told."""
    extensions: Sequence[str] = ()
    """Of DuckDB, to reach it."""
    secret: str | None = field(default=None, repr=False)
    """The statement that gives DuckDB the keys; None: there are none."""
    told_secret: str = ""
    """The same for people, names in place of keys; empty: there are none."""
    folders: Mapping[Path, str] = field(default_factory=dict)
    """Folders of this machine that it is, and the setting that names each."""


def storage_of(settings: Settings, place: str) -> Storage:
    """place: a folder, or `s3://BUCKET/PREFIX`.

    SettingsError where the keys of a bucket are missing, or where DuckLake would take the place for a pattern.
    """
    is_bucket = place.startswith("s3://")
    path = place if is_bucket else str(Path(place).absolute())
    if signs := sorted({*"*?["}.intersection(path)):
        raise SettingsError(
            f"HEM_ETL_LAKE_DATA={path} has {' and '.join(signs)} in its name, by which DuckDB looks for other files: "
            "maintenance would remove nothing there; take another."
        )
    if not is_bucket:
        return Storage(path, folders={Path(path): "HEM_ETL_LAKE_DATA"})
    key_id, secret = settings.s3_keys()
    keys = key_id.get_secret_value(), secret.get_secret_value()
    return Storage(
        place,
        extensions=("httpfs",),
        secret=_statement(f"temporary secret {AS_NAMED}", keys, settings, place),
        told_secret=_statement("secret", ("KEY_ID", "SECRET"), settings, place),
    )


def _statement(what: str, keys: tuple[str, str], settings: Settings, place: str) -> str:
    parts = {"key_id": literal(keys[0]), "secret": literal(keys[1]), "region": literal(settings.s3_region)}
    if (endpoint := settings.s3_endpoint) is not None:
        parts["endpoint"] = literal(f"{endpoint.host}:{endpoint.port}")
        parts["use_ssl"] = str(endpoint.scheme == "https").lower()
    style = settings.s3_url_style or ("vhost" if endpoint is None else "path")
    parts |= {"url_style": literal(style), "scope": literal(place)}
    return f"create {what} (type s3, {', '.join(f'{name} {value}' for name, value in parts.items())})"
