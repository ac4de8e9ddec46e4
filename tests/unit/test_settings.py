"""Settings: one clear error that names the variable, and no secret in it."""

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from hem_etl.errors import SettingsError
from hem_etl.settings import OUR_PREFIXES, GivenSettings, Settings, load_settings

Load = Callable[..., Settings]

PATHS = {
    "HEM_ETL_HOME": lambda settings: settings.home,
    "HEM_ETL_DATABASE": lambda settings: settings.database,
    "HEM_ETL_LANDING": lambda settings: settings.landing,
    "HEM_ETL_LAKE_DATA": lambda settings: Path(settings.lake_data),
    "HEM_ETL_LAKE_CATALOG": lambda settings: Path(settings.lake_catalog.get_secret_value()),
    "HEM_ETL_MODELS": lambda settings: settings.own_models,
}
"""Settings that may name a place on this machine, and how each is read."""


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Load:
    """Settings of an environment that holds just the given variables, and of a `.env` file with the given text."""

    def load_with(environ: dict[str, str], dotenv: str | None = None) -> Settings:
        for name in [name for name in os.environ if name.startswith(OUR_PREFIXES)]:
            monkeypatch.delenv(name)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        if dotenv is not None:
            (tmp_path / ".env").write_text(dotenv)
        return load_settings(tmp_path / ".env")

    return load_with


def test_defaults_need_no_environment(load: Load) -> None:
    settings = load({})
    assert settings.api_url == "https://enode-api.sandbox.enode.io"
    assert settings.oauth_url == "https://oauth.sandbox.enode.io/oauth2/token"
    assert settings.database == Path("hem_data/hem.duckdb")
    assert settings.start_date == date(2024, 1, 1)
    assert (settings.max_in_flight, settings.settle_days, settings.complete_coverage) == (16, 7, 0.9)


@pytest.mark.parametrize(
    ("value", "tesla", "other"),
    [
        ("", 0.02, 0.02),
        ("0.05", 0.05, 0.05),
        ('{"tesla": 0.3}', 0.3, 0.02),
        ('{"default": 0.1, "TESLA": 0}', 0.0, 0.1),
    ],
)
def test_the_balance_tolerance_is_a_number_or_one_per_vendor(
    load: Load, value: str, tesla: float, other: float
) -> None:
    settings = load({"HEM_ETL_BALANCE_TOLERANCE": value})
    assert settings.balance_tolerance_of("TESLA") == tesla
    assert [settings.balance_tolerance_of(vendor) for vendor in ("SMA", None)] == [other, other]


def test_production_switches_both_urls(load: Load) -> None:
    settings = load({"ENODE_ENVIRONMENT": "production"})
    assert settings.api_url == "https://enode-api.production.enode.io"
    assert settings.oauth_url == "https://oauth.production.enode.io/oauth2/token"


@pytest.mark.parametrize("said", ["2026-02-01", "20260201", " 2026-02-01\n"])
def test_a_start_date_is_a_day_of_the_calendar(load: Load, said: str) -> None:
    assert load({"HEM_ETL_START_DATE": said}).start_date == date(2026, 2, 1)


def test_the_environment_wins_over_the_dotenv_file(load: Load) -> None:
    dotenv = "HEM_ETL_HOME=/from/file\nHEM_ETL_SETTLE_DAYS=3\nOTHER_TOOL=1\n"
    settings = load({"HEM_ETL_HOME": "/from/env"}, dotenv)
    assert settings.home == Path("/from/env")
    assert settings.settle_days == 3


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("ENODE_ENVIRONMENT", "prod", "'production' or 'sandbox'"),
        ("HEM_ETL_START_DATE", "01.02.2024", "a date such as 2024-01-31"),
        ("HEM_ETL_START_DATE", "0", "a date such as 2024-01-31"),
        ("HEM_ETL_START_DATE", "1706659200", "a date such as 2024-01-31"),
        ("HEM_ETL_MAX_IN_FLIGHT", "0", "greater than or equal to 1"),
        ("HEM_ETL_COMPLETE_COVERAGE", "90", "less than or equal to 1"),
        ("HEM_ETL_REQUESTS_PER_SECOND", "nan", "finite"),
        ("HEM_ETL_SPIKE_KW", "0", "greater than 0"),
        ("HEM_ETL_STALE_BUCKETS", "1", "greater than or equal to 2"),
        ("HEM_ETL_BALANCE_TOLERANCE", "2", "less than or equal to 1"),
        ("HEM_ETL_BALANCE_TOLERANCE", "NaN", "less than or equal to 1"),
        ("HEM_ETL_BALANCE_TOLERANCE", "little", "a number from 0 to 1, or one per vendor"),
        ("HEM_ETL_BALANCE_TOLERANCE", "[0.1]", "a number from 0 to 1, or one per vendor"),
        ("HEM_ETL_BALANCE_TOLERANCE", '{"TESLA": "much"}', "valid number"),
        ("HEM_ETL_BALANCE_TOLERANCE", "[" * 100_000, "a number from 0 to 1, or one per vendor"),
        ("HEM_ETL_BALANCE_TOLERANCE", '{"a":' * 100_000, "a number from 0 to 1, or one per vendor"),
        ("HEM_ETL_BALANCE_TOLERANCE", "[" * 40_000 + "]" * 40_000, "a number from 0 to 1, or one per vendor"),
        *((name, "~no-such-user/x", "begins with ~ and no user's name") for name in PATHS),
        ("ENODE_API_URL", "http://api.example.com", "https://"),
        ("ENODE_OAUTH_URL", "http://127.0.0.1.example.com/token", "https://"),
        ("ENODE_API_URL", "https://user:pass@api.example.com", "without user name"),
        ("HEM_ETL_ALERT_URL", "http://hooks.example.com/key", "https://"),
        ("HEM_ETL_ALERT_URL", "hooks.example.com/key", "https://"),
        ("HEM_ETL_ALERT_URL", "https://[::1/key", "is not a URL"),
        ("HEM_ETL_ALERT_URL", "https://xn--/key", "is not a URL"),
        ("HEM_ETL_ALERT_URL", "https:///key", "without a host"),
        ("HEM_ETL_LANDING", "gs://homes", "s3://BUCKET"),
        ("HEM_ETL_LAKE_DATA", "gs://homes", "s3://BUCKET"),
        ("HEM_ETL_LAKE_DATA", "s3://homes/a?s3_endpoint=x", "s3://BUCKET"),
        ("HEM_ETL_LAKE_DATA", "s3://", "s3://BUCKET"),
        ("HEM_ETL_S3_ENDPOINT", "http://s3.example.com", "https://"),
        ("HEM_ETL_S3_ENDPOINT", "https://s3.example.com/homes", "without a path"),
        ("HEM_ETL_S3_URL_STYLE", "host", "'path' or 'vhost'"),
        ("HEM_ETL_LAKE_KEEP_DAYS", "1", "greater than or equal to 2"),
        ("HEM_ETL_SETLE_DAYS", "3", "did you mean HEM_ETL_SETTLE_DAYS?"),
    ],
)
def test_a_wrong_value_is_one_error_that_names_the_variable(load: Load, name: str, value: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({name: value})
    assert name in str(caught.value)
    assert says in str(caught.value)
    assert "/key" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:99/"])
def test_plain_http_is_accepted_for_loopback(load: Load, url: str) -> None:
    assert load({"ENODE_API_URL": url}).api_url == url.rstrip("/")


def test_an_empty_variable_counts_as_not_set(load: Load) -> None:
    assert load({"HEM_ETL_HOME": ""}).home == Path("hem_data")


@pytest.mark.parametrize("name", PATHS)
def test_a_path_may_begin_with_the_users_home(load: Load, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A shell leaves ~ as it is in quotes, and a `.env` file has no shell: a folder named ~ was made."""
    monkeypatch.setenv("HOME", "/users/ann")
    read = PATHS[name]
    assert read(load({name: "~/x/y"})) == Path("/users/ann/x/y")
    assert read(load({name: " ~/x/y\n"})) == Path("/users/ann/x/y")
    assert read(load({}, f"{name}=~/x/y\n")) == Path("/users/ann/x/y")
    assert read(load({name: "/far/~/y"})) == Path("/far/~/y")
    assert read(load({name: "./~/y"})) == Path("~/y")


@pytest.mark.parametrize("value", ["", " "])
def test_an_empty_landing_is_that_of_the_home(load: Load, value: str) -> None:
    assert load({"HEM_ETL_LANDING": value}).landing == Path("hem_data/landing")


def test_missing_credentials_name_the_variables_and_the_demo(load: Load) -> None:
    with pytest.raises(SettingsError, match=r"ENODE_CLIENT_SECRET not set.*hem-etl demo"):
        load({"ENODE_CLIENT_ID": "a"}).credentials()


def test_no_secret_is_printed(load: Load) -> None:
    settings = load({"ENODE_CLIENT_ID": "a", "ENODE_CLIENT_SECRET": "s3cret-value"})
    assert "s3cret-value" not in repr(settings) + str(settings)
    with pytest.raises(SettingsError) as caught:
        load({"ENODE_CLIENT_SECRET": "s3cret-value", "ENODE_ENVIRONMENT": "x"})
    assert "s3cret-value" not in str(caught.value)


def test_a_typo_in_the_dotenv_file_is_found_too(load: Load) -> None:
    with pytest.raises(SettingsError, match="ENODE_CLIENT_IDD is not a setting"):
        load({}, "ENODE_CLIENT_IDD=x\n")


def test_settings_given_in_code_ignore_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEM_ETL_DATABASE", "/real/data.duckdb")
    monkeypatch.setenv("ENODE_ENVIRONMENT", "nonsense")
    assert GivenSettings(HEM_ETL_HOME=Path("demo")).database == Path("demo/hem.duckdb")


def test_a_dotenv_file_with_a_byte_order_mark_is_read(load: Load) -> None:
    assert load({}, "\ufeffENODE_CLIENT_ID=me\n").client_id == "me"


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_dotenv_file_that_is_not_utf_8_is_one_line_that_says_so(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "settings.env"
    file.write_bytes("# Käse\nENODE_CLIENT_ID=me\n".encode(encoding))
    with pytest.raises(SettingsError, match=r"settings\.env is not UTF-8 \(byte \d+\): save it as UTF-8"):
        load_settings(file)


@pytest.mark.parametrize("blank", ["\n", "\r\n", " ", "\t"])
def test_blanks_around_a_credential_are_no_part_of_it(load: Load, blank: str) -> None:
    given = {"ENODE_CLIENT_ID": f"me{blank}", "ENODE_CLIENT_SECRET": f"{blank}s3cret{blank}"}
    client_id, secret = load(given).credentials()
    assert (client_id, secret.get_secret_value()) == ("me", "s3cret")
    with pytest.raises(SettingsError, match="ENODE_CLIENT_SECRET not set"):
        load({"ENODE_CLIENT_ID": "me", "ENODE_CLIENT_SECRET": blank * 3}).credentials()
