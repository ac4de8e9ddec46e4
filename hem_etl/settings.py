"""What the operator tells us: credentials, paths, limits, thresholds, from the environment or a `.env` file.

Read once, by a door, with `load_settings`; nothing reads the environment anywhere else. Every problem is one
`SettingsError` that names the variable and says what it accepts, and never repeats a secret's value.
"""

import difflib
import hashlib
import json
import os
import re
from datetime import date
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from dotenv import dotenv_values
from pydantic import Field, HttpUrl, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from hem_etl.errors import SettingsError

DOTENV: Final = Path(".env")
DOTENV_ENCODING: Final = "utf-8-sig"
"""UTF-8, with the mark that some editors put before it or without."""
MOST_PARTITIONS: Final = 100_000
"""Dagster's pages stay quick up to here (systems × days since the start date, of one asset)."""
MANY_PARTITIONS: Final = MOST_PARTITIONS * 8 // 10
"""From here on people are warned."""
EVERY_VENDOR: Final = "default"
DEFAULT_BALANCE_TOLERANCE: Final = 0.02
POSTGRES_SCHEMES: Final = ("postgresql://", "postgres://")
BUCKET: Final = re.compile(r"s3://[a-z0-9][a-z0-9.-]+(/[A-Za-z0-9._=-]+)*/?")
USEFUL_WORKERS: Final = 4
"""The one that writes, and as many as it keeps up with."""
OUR_PREFIXES: Final = ("HEM_ETL_", "ENODE_")

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Environment(StrEnum):
    """Enode's two environments: real homes, or virtual accounts."""

    PRODUCTION = "production"
    SANDBOX = "sandbox"


class Engine(StrEnum):
    """What keeps the warehouse: a pair of DuckDB files, or a DuckLake."""

    FILE = "file"
    LAKE = "lake"


class Settings(BaseSettings):
    """All settings; the field's alias is the variable's name. Make it with `load_settings`."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True)

    client_id: str | None = Field(None, alias="ENODE_CLIENT_ID")
    client_secret: SecretStr | None = Field(None, alias="ENODE_CLIENT_SECRET")
    environment: Environment = Field(Environment.SANDBOX, alias="ENODE_ENVIRONMENT")
    api_url_override: HttpUrl | None = Field(None, alias="ENODE_API_URL")
    oauth_url_override: HttpUrl | None = Field(None, alias="ENODE_OAUTH_URL")
    webhook_secret: SecretStr | None = Field(None, alias="ENODE_WEBHOOK_SECRET")
    webhook_secret_before: SecretStr | None = Field(None, alias="ENODE_WEBHOOK_SECRET_BEFORE")
    """The secret before, still accepted while it is being changed."""
    webhook_path: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._~-]+)*/?$")] = Field("", alias="HEM_ETL_WEBHOOK_PATH")
    """What stands before the receiver's paths, behind a reverse proxy that passes it on."""

    event_minutes: Annotated[int, Field(ge=1, le=1440)] = Field(15, alias="HEM_ETL_EVENT_MINUTES")
    """How often at most events make one system be asked again."""

    event_days: Annotated[int, Field(ge=8, le=36_500)] = Field(30, alias="HEM_ETL_EVENT_DAYS")
    """How long the tables keep events of the kind that grows with the fleet; landing keeps all. More than a week: in
    that time a repetition is known as one."""

    alert_url: SecretStr | None = Field(None, alias="HEM_ETL_ALERT_URL")
    """Where Dagster posts failed runs. Secret: such addresses usually carry a key."""

    home: Path = Field(Path("hem_data"), alias="HEM_ETL_HOME")
    landing_override: str | None = Field(None, alias="HEM_ETL_LANDING")
    """Where landing is, for processes with homes of their own that share one."""
    database_override: Path | None = Field(None, alias="HEM_ETL_DATABASE")
    warehouse: Engine = Field(Engine.FILE, alias="HEM_ETL_WAREHOUSE")
    lake_catalog: SecretStr | None = Field(None, alias="HEM_ETL_LAKE_CATALOG")
    """Where the lake's catalogue is: a SQLite file, or a Postgres URL, which may carry a password."""
    lake_data: str | None = Field(None, alias="HEM_ETL_LAKE_DATA")
    """The folder of the lake's Parquet files, or `s3://BUCKET/PREFIX`."""
    s3_endpoint: HttpUrl | None = Field(None, alias="HEM_ETL_S3_ENDPOINT")
    """None: Amazon's."""
    s3_region: str = Field("us-east-1", alias="HEM_ETL_S3_REGION")
    s3_access_key_id: SecretStr | None = Field(None, alias="HEM_ETL_S3_ACCESS_KEY_ID")
    s3_secret_access_key: SecretStr | None = Field(None, alias="HEM_ETL_S3_SECRET_ACCESS_KEY")
    s3_url_style: Literal["path", "vhost"] | None = Field(None, alias="HEM_ETL_S3_URL_STYLE")
    """Whether the bucket stands in a URL's path or in its host; None: the host at Amazon, the path elsewhere."""
    lake_keep_days: Annotated[int, Field(ge=2, le=3650)] = Field(7, alias="HEM_ETL_LAKE_KEEP_DAYS")
    """How long maintenance leaves what readers attached before the newest publish, and files that nothing names."""
    own_models: Path | None = Field(None, alias="HEM_ETL_MODELS")
    """A folder of SQL models of the operator's own, made into the schema `own`."""

    start_date: date = Field(date(2024, 1, 1), alias="HEM_ETL_START_DATE")

    max_in_flight: Annotated[int, Field(ge=1, le=256)] = Field(16, alias="HEM_ETL_MAX_IN_FLIGHT")
    requests_per_second: NotNegative = Field(0, alias="HEM_ETL_REQUESTS_PER_SECOND")
    read_timeout_seconds: Positive = Field(90, alias="HEM_ETL_READ_TIMEOUT_SECONDS")
    retry_seconds: NotNegative = Field(300, alias="HEM_ETL_RETRY_SECONDS")

    workers: Annotated[int | None, Field(ge=1, le=256)] = Field(None, alias="HEM_ETL_WORKERS")
    """The most processes that prepare bodies, the one that writes among them. None: see `most_workers`."""

    clock_check: bool = Field(True, alias="HEM_ETL_CLOCK_CHECK")
    """Whether each answer's `Date` is compared with this machine's clock."""

    settle_days: Annotated[int, Field(ge=0, le=365)] = Field(7, alias="HEM_ETL_SETTLE_DAYS")
    complete_coverage: Annotated[float, Field(gt=0, le=1)] = Field(0.9, alias="HEM_ETL_COMPLETE_COVERAGE")
    over_limit_kw: Positive = Field(50, alias="HEM_ETL_OVER_LIMIT_KW")
    gap_generation_kw: Positive = Field(10, alias="HEM_ETL_GAP_GENERATION_KW")
    gap_consumption_kw: Positive = Field(10, alias="HEM_ETL_GAP_CONSUMPTION_KW")
    """The most that a home's PV makes, or a home uses, while nothing is known: the bounds of the ratios."""
    spike_kw: Positive = Field(15, alias="HEM_ETL_SPIKE_KW")
    stale_buckets: Annotated[int, Field(ge=2, le=1440)] = Field(6, alias="HEM_ETL_STALE_BUCKETS")
    night_generation_kw: NotNegative = Field(0.05, alias="HEM_ETL_NIGHT_GENERATION_KW")
    simultaneous_kw: NotNegative = Field(0.2, alias="HEM_ETL_SIMULTANEOUS_KW")
    balance_tolerance: Annotated[dict[str, Annotated[float, Field(ge=0, le=1)]], NoDecode] = Field(
        {EVERY_VENDOR: DEFAULT_BALANCE_TOLERANCE}, alias="HEM_ETL_BALANCE_TOLERANCE", validate_default=True
    )
    """Ratio by vendor (upper case), and EVERY_VENDOR for the others."""
    system_buckets: Annotated[int, Field(ge=0, le=10_000)] = Field(0, alias="HEM_ETL_SYSTEM_BUCKETS")

    @field_validator(
        *("client_id", "client_secret", "webhook_secret", "webhook_secret_before"),
        *("alert_url", "lake_catalog", "lake_data", "landing_override", "s3_access_key_id", "s3_secret_access_key"),
        mode="before",
    )
    @classmethod
    def _without_blanks_around(cls, value: object) -> object:
        """A mounted file ends in a line break; no credential begins or ends with a blank."""
        return (value.strip() or None) if isinstance(value, str) else value

    @field_validator(
        *("home", "database_override", "own_models", "landing_override", "lake_data", "lake_catalog"), mode="before"
    )
    @classmethod
    def _with_the_users_home(cls, value: object) -> object:
        """A shell reads ~ where a word begins with it and is not quoted; in `.env` nobody does."""
        if not isinstance(value, str) or not (path := value.strip()).startswith("~"):
            return value
        if (expanded := os.path.expanduser(path)).startswith("~"):
            raise ValueError("begins with ~ and no user's name: write the whole path, or ./~ for what is called so")
        return expanded

    @field_validator("start_date", mode="before")
    @classmethod
    def _a_day(cls, value: object) -> object:
        """Pydantic would take a bare number for seconds since 1970."""
        try:
            return date.fromisoformat(value.strip()) if isinstance(value, str) else value
        except ValueError:
            raise ValueError("must be a date such as 2024-01-31") from None

    @field_validator("lake_catalog")
    @classmethod
    def _a_file_or_postgres(cls, address: SecretStr | None) -> SecretStr | None:
        text = "" if address is None else address.get_secret_value()
        if "://" in text and not text.startswith(POSTGRES_SCHEMES):
            raise ValueError("must be a Postgres URL (postgresql://…) or the path of a SQLite file")
        return address

    @field_validator("lake_data", "landing_override")
    @classmethod
    def _a_folder_or_a_bucket(cls, place: str | None) -> str | None:
        if place is None or "://" not in place:
            return place
        if not BUCKET.fullmatch(place):
            raise ValueError("must be the path of a folder, or s3://BUCKET/PREFIX of letters, digits and . _ = - /")
        return place.rstrip("/")

    @field_validator("webhook_path")
    @classmethod
    def _without_slash_at_its_end(cls, path: str) -> str:
        return path.rstrip("/")

    @field_validator("api_url_override", "oauth_url_override", "s3_endpoint")
    @classmethod
    def _encrypted_unless_loopback(cls, url: HttpUrl | None, info: ValidationInfo) -> HttpUrl | None:
        if url is not None:
            _require_encrypted(url.scheme, url.host or "")
        if url is not None and (url.username or url.password or url.query or url.fragment):
            raise ValueError("must be a plain URL without user name, password, query or fragment")
        return url

    @field_validator("s3_endpoint")
    @classmethod
    def _a_host_alone(cls, url: HttpUrl | None) -> HttpUrl | None:
        if url is not None and url.path not in (None, "/"):
            raise ValueError("must be a URL without a path: the bucket stands in s3://BUCKET/PREFIX")
        return url

    @field_validator("balance_tolerance", mode="before")
    @classmethod
    def _a_number_or_one_per_vendor(cls, value: object) -> dict[str, object]:
        try:
            read = json.loads(value) if isinstance(value, str) else value
        except (ValueError, RecursionError):  # the latter of brackets within brackets
            read = None
        if isinstance(read, int | float) and not isinstance(read, bool):
            return {EVERY_VENDOR: read}
        if not isinstance(read, dict) or not all(isinstance(name, str) for name in read):
            raise ValueError(
                f'must be a number from 0 to 1, or one per vendor: {{"{EVERY_VENDOR}": 0.02, "TESLA": 0.05}}'
            )
        tolerances = {name if name == EVERY_VENDOR else name.upper(): tolerance for name, tolerance in read.items()}
        return {EVERY_VENDOR: DEFAULT_BALANCE_TOLERANCE} | tolerances

    @field_validator("alert_url")
    @classmethod
    def _an_address(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            import httpx  # takes a tenth of a second: only where it is needed

            try:
                parsed = httpx.URL(url.get_secret_value())
                host = parsed.host
            except (httpx.InvalidURL, ValueError):  # whose text may hold a piece of the secret
                raise ValueError("is not a URL") from None
            _require_encrypted(parsed.scheme, host)
            if not host:
                raise ValueError("is a URL without a host")
        return url

    @property
    def api_url(self) -> str:
        """Base URL of the API, without a slash at its end."""
        url = self.api_url_override or f"https://enode-api.{self.environment}.enode.io"
        return str(url).rstrip("/")

    @property
    def oauth_url(self) -> str:
        """The full URL of the token endpoint."""
        return str(self.oauth_url_override or f"https://oauth.{self.environment}.enode.io/oauth2/token")

    @property
    def database(self) -> Path:
        """The published file that people query."""
        return self.database_override or self.home / "hem.duckdb"

    @property
    def landing(self) -> Path:
        """The folder of raw segments; where they are in a bucket, of those that were read: it may be deleted."""
        if self.landing_bucket is not None:
            return self.cache_of(self.landing_bucket)
        return Path(self.landing_override) if self.landing_override else self.home / "landing"

    @property
    def landing_bucket(self) -> str | None:
        """`s3://BUCKET/PREFIX` of raw segments; None: they are in the folder `landing`."""
        return self.landing_override if (self.landing_override or "").startswith("s3://") else None

    def cache_of(self, bucket: str) -> Path:
        """The folder of what was read of a bucket; of each its own."""
        return self.home / "cache" / hashlib.sha256(f"{self.s3_endpoint or ''} {bucket}".encode()).hexdigest()[:16]

    @property
    def outbox(self) -> Path:
        """Segments that are not in the bucket yet."""
        return self.home / "outbox"

    @property
    def inbox(self) -> Path:
        """Webhook deliveries that are not landed yet."""
        return self.home / "inbox"

    @property
    def work(self) -> Path:
        """Where the writer's own file and its lock live."""
        return self.home / "work"

    @property
    def api_of_home(self) -> Path:
        """The file that says which API this home is filled from."""
        return self.work / "api.txt"

    @property
    def prepared(self) -> Path:
        """Where worker processes leave frames for the one that writes; empty while nobody loads."""
        return self.work / "prepared"

    @property
    def most_workers(self) -> int:
        """As many as said, else the cores that this process may use, at most USEFUL_WORKERS."""
        return self.workers or min(_usable_cores(), USEFUL_WORKERS)

    def lake(self) -> tuple[SecretStr, str]:
        """Catalogue and folder of data; SettingsError where one is missing, or landing lies among the data."""
        places = {"HEM_ETL_LAKE_CATALOG": self.lake_catalog, "HEM_ETL_LAKE_DATA": self.lake_data}
        missing = [name for name, value in places.items() if not value]
        if missing or self.lake_catalog is None or self.lake_data is None:
            raise SettingsError(
                f"HEM_ETL_WAREHOUSE=lake needs {' and '.join(missing)}: where the lake's catalogue and its files are, "
                "the same for everybody who uses it (docs/scale.md)."
            )
        data = self.lake_data if self.lake_data.startswith("s3://") else Path(self.lake_data).resolve()
        landing = self.landing_bucket or self.landing.resolve()
        if f"{landing}/".startswith(f"{data}/"):
            raise SettingsError(
                f"landing ({landing}) lies within HEM_ETL_LAKE_DATA ({self.lake_data}), where maintenance removes "
                "all that the lake does not name: let HEM_ETL_LAKE_DATA name a place of its own."
            )
        return self.lake_catalog, self.lake_data

    def s3_keys(self) -> tuple[SecretStr, SecretStr]:
        """Id and secret; SettingsError where one is missing."""
        if self.s3_access_key_id is None or self.s3_secret_access_key is None:
            raise SettingsError(
                "s3://… needs HEM_ETL_S3_ACCESS_KEY_ID and HEM_ETL_S3_SECRET_ACCESS_KEY: keys that may list, read and "
                "write there, and among a lake's files delete."
            )
        return self.s3_access_key_id, self.s3_secret_access_key

    @property
    def shared_postgres(self) -> SecretStr | None:
        """The Postgres that everybody who uses the lake shares; None: there is none, all is on one machine."""
        catalog = self.lake_catalog
        is_shared = (
            self.warehouse is Engine.LAKE and catalog and catalog.get_secret_value().startswith(POSTGRES_SCHEMES)
        )
        return catalog if is_shared else None

    def balance_tolerance_of(self, vendor: str | None) -> float:
        """The balance ratio up to which nothing is found, for systems of this vendor."""
        named = vendor.upper() if vendor else EVERY_VENDOR
        return self.balance_tolerance.get(named, self.balance_tolerance[EVERY_VENDOR])

    def credentials(self) -> tuple[str, SecretStr]:
        """Client id and secret; SettingsError where one is missing."""
        missing = [
            name
            for name, value in (("ENODE_CLIENT_ID", self.client_id), ("ENODE_CLIENT_SECRET", self.client_secret))
            if not value
        ]
        if missing or self.client_id is None or self.client_secret is None:
            raise SettingsError(
                f"{' and '.join(missing)} not set: put them in the environment or in .env. "
                "No credentials yet? `hem-etl demo` shows everything on a simulator."
            )
        return self.client_id, self.client_secret


class GivenSettings(Settings):
    """Settings given in code and nothing else: the demo and the tests never see the operator's environment."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def load_settings(dotenv: Path = DOTENV) -> Settings:
    """Settings from the environment, over those in `dotenv` where it exists.

    Raises SettingsError that names every malformed variable, and every unknown one that carries our prefix.
    """
    names = {*os.environ, *_names_in(dotenv)}
    valid = {str(field.alias) for field in Settings.model_fields.values()}
    ours = {name for name in names if name.startswith(OUR_PREFIXES)}
    problems = [_unknown(name, valid) for name in sorted(ours - valid)]
    try:
        settings = Settings(_env_file=dotenv, _env_file_encoding=DOTENV_ENCODING)
    except ValidationError as error:
        problems += [
            f"{e['loc'][0]}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors(include_input=False)
        ]
    if problems:
        raise SettingsError("; ".join(problems) + ". Correct it in the environment or in .env and run again.")
    return settings


def environment_of_others() -> dict[str, str]:
    """The environment for a child process that is to have no setting of ours, and no credential."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OUR_PREFIXES)}


def _usable_cores() -> int:
    has_affinity = hasattr(os, "sched_getaffinity")  # not on macOS
    return len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1


def _names_in(dotenv: Path) -> list[str]:
    if not dotenv.is_file():
        return []
    try:
        return list(dotenv_values(dotenv, encoding=DOTENV_ENCODING))
    except UnicodeDecodeError as error:
        raise SettingsError(f"{dotenv} is not UTF-8 (byte {error.start}): save it as UTF-8 and run again.") from None
    except OSError as error:
        raise SettingsError(
            f"{dotenv} cannot be read ({error.strerror}): give this user access and run again."
        ) from error


def _unknown(name: str, valid: set[str]) -> str:
    close = difflib.get_close_matches(name, valid, n=1)
    return f"{name} is not a setting" + (f" (did you mean {close[0]}?)" if close else "")


def _require_encrypted(scheme: str, host: str) -> None:
    if scheme != "https" and not (scheme == "http" and _is_loopback(host)):
        raise ValueError("must start with https:// (plain http is accepted for loopback addresses only)")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        import httpx

        return httpx.URL(f"http://{host}").host == "localhost"
