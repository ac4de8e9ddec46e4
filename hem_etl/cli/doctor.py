"""The doctor: is everything in place for the next run? A finding is a status, a subject, a text with the next step."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hem_etl.answer import Kind
from hem_etl.enode.subscriptions import subscriptions
from hem_etl.errors import AccessError, HemEtlError, LandingError, ModelError, SettingsError, disk_trouble
from hem_etl.facts import heartbeat_warning, published_numbers
from hem_etl.landing import Landing, open_landing, waiting_segments
from hem_etl.local_day import CLOCK_TOLERANCE
from hem_etl.pipeline import backlog, make_client
from hem_etl.pipeline.stored import require_whole
from hem_etl.settings import MANY_PARTITIONS, MOST_PARTITIONS, Engine, Settings
from hem_etl.warehouse import Warehouse, load_own, open_warehouse, packaged_models
from hem_etl.webhooks.inbox import open_inbox
from hem_etl.webhooks.signature import signing_secrets

OK, WARN, FAIL = "ok", "warn", "FAIL"
LEAST_FREE_BYTES: Final = 1_000_000_000

Finding = tuple[str, str, str]


def examine(settings: Settings) -> list[Finding]:
    """All findings. Malformed settings never get here: they stop every command."""
    warehouse, landing = open_warehouse(settings), open_landing(settings)
    try:
        described = warehouse.describe()
    except HemEtlError as error:
        return [
            (OK, "settings", f"home {settings.home}, API {settings.api_url}"),
            *_without_effect(settings),
            *_enode(settings),
            *_writable({**_inbox(settings), **landing.place.folders}),
            (FAIL, "warehouse", f"{error} What rests on it was not looked at"),
            *_own_models(settings),
        ]
    folders = {**described.folders, **landing.place.folders, **_inbox(settings)}
    to_publish = dict.fromkeys(described.folders, LEAST_FREE_BYTES + described.room_to_publish)
    return [
        (OK, "settings", f"home {settings.home}, published in {described.published}, API {settings.api_url}"),
        *_without_effect(settings),
        *_enode(settings),
        *_disks(dict.fromkeys((settings.home, *folders), LEAST_FREE_BYTES) | to_publish),
        *_writable(folders),
        *_landing(settings, warehouse, landing),
        _lock(warehouse),
        *examine_published(settings, warehouse),
        *_own_models(settings),
        *examine_webhooks(settings, warehouse),
    ]


def _inbox(settings: Settings) -> dict[Path, str | None]:
    """The folder that a receiver writes to, where there is one."""
    return {} if settings.webhook_secret is None else {open_inbox(settings).folder: "HEM_ETL_HOME"}


def _without_effect(settings: Settings) -> Iterator[Finding]:
    """Places that are named for the other engine: somebody believes that their data are there."""
    of_lake = {"HEM_ETL_LAKE_CATALOG": settings.lake_catalog, "HEM_ETL_LAKE_DATA": settings.lake_data}
    of_file = {"HEM_ETL_DATABASE": settings.database_override}
    others = of_lake if settings.warehouse is Engine.FILE else of_file
    named = [name for name, value in others.items() if value is not None]
    if named:
        yield (
            WARN,
            "settings",
            f"{' and '.join(named)} without effect: HEM_ETL_WAREHOUSE is {settings.warehouse}. Set it, or unset the "
            "others",
        )


def _enode(settings: Settings) -> Iterator[Finding]:
    """One request, tried once, by the client that a run uses: credentials, network, proxy, certificates, clock."""
    try:
        with make_client(settings, most_tries=1, has_clock_check=False) as client:
            answer = next(client.fetch_list(Kind.SYSTEMS))
            ahead = client.seconds_ahead
    except (SettingsError, AccessError) as error:
        yield FAIL, "credentials", str(error)
        return
    if answer.outcome is None:
        yield OK, "credentials", "a token was given and systems may be listed"
    else:
        yield WARN, "credentials", f"could not be tried ({answer.outcome}: {answer.detail}): run again later"
    if ahead is None:
        yield WARN, "clock", "could not be compared with the API's: no answer told its own"
    elif abs(ahead) <= CLOCK_TOLERANCE.total_seconds():
        yield OK, "clock", f"{abs(ahead):.0f} s from the API's"
    else:
        side = "ahead of" if ahead > 0 else "behind"
        yield FAIL, "clock", f"{abs(ahead):.0f} s {side} the API's: synchronise it; until then nothing is asked"


def examine_webhooks(settings: Settings, warehouse: Warehouse) -> Iterator[Finding]:
    """Where webhooks are received: whether Enode sends, whether it holds back, whether anybody acts on them."""
    if settings.webhook_secret is None:
        return
    try:
        signing_secrets(settings)
        with make_client(settings, most_tries=1, has_clock_check=False) as client:
            found = subscriptions(client)
    except HemEtlError as error:
        yield WARN, "webhooks", str(error)
        return
    asleep = [each.id for each in found if each.is_active is False]
    if not found:
        yield WARN, "webhooks", "a secret is set and nothing is subscribed: `hem-etl webhooks subscribe URL`"
    elif asleep:
        yield (
            FAIL,
            "webhooks",
            f"Enode sends nothing to {', '.join(asleep)}, and what is older than 24 hours is lost: "
            f"`hem-etl webhooks reactivate {asleep[0]}` starts it again and makes up for that",
        )
    else:
        yield OK, "webhooks", f"{len(found)} subscriptions are active"
    kept = backlog(open_inbox(settings))
    if kept.deliveries:
        yield WARN, "inbox", f"{kept.deliveries} deliveries or more wait: `hem-etl run --due` acts on them"
    if warehouse.is_published() and (warning := heartbeat_warning(warehouse)):
        yield WARN, "heartbeats", warning


def _landing(settings: Settings, warehouse: Warehouse, landing: Landing) -> Iterator[Finding]:
    """Whether landing can be reached and written, and holds what was published."""
    try:
        landing.place.prove()
        require_whole(landing, warehouse)
        yield OK, "landing", f"{len(landing.segments())} segments in {landing.place.name}"
        yield from examine_landing(landing)
    except LandingError as error:
        yield FAIL, "landing", str(error)
    if unsent := waiting_segments(settings):
        yield (
            WARN,
            "landing",
            f"{len(unsent)} segments wait to be sent to a bucket (such as {unsent[0]}): the next run with "
            "HEM_ETL_LANDING=s3://… sends them",
        )


def examine_landing(landing: Landing) -> Iterator[Finding]:
    """Looks that a clock which ran ahead has stamped."""
    marks = landing.distrusted()
    if marks:
        yield (
            WARN,
            "landing",
            f"{len(marks)} segments hold looks from the future ({', '.join(sorted(marks)[:3])}): a machine's clock had "
            "run ahead. They are left out, and what they were asked for is asked again",
        )


def _disks(needs: Mapping[Path, int]) -> Iterator[Finding]:
    """The room on each disk that is written to. needs: folders, and the bytes that each needs to be free."""
    disks: dict[int, tuple[Path, int]] = {}
    for place, needed in needs.items():
        folder = _nearest_folder(place)
        first, most = disks.get(folder.stat().st_dev, (folder, 0))
        disks[folder.stat().st_dev] = first, max(most, needed)
    for folder, needed in disks.values():
        free = shutil.disk_usage(folder).free
        room = f"{free / 1e9:.1f} GB free at {folder}"
        yield (OK, "disk", room) if free >= needed else (FAIL, "disk", f"{room}: make room for {needed / 1e9:.1f} GB")


def _writable(places: Mapping[Path, str | None]) -> Iterator[Finding]:
    """Whether a file can be made in every place that a run writes to, or in the nearest folder above it."""
    tried: dict[Path, str | None] = {}
    for place, setting in places.items():
        tried.setdefault(_nearest_folder(place), setting)
    refused = []
    for folder, setting in tried.items():
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"hem_etl")
        except OSError as error:
            refused.append(f"cannot write in {folder} ({disk_trouble(error, setting)})")
    if refused:
        yield FAIL, "writing", "; ".join(refused)
    else:
        yield OK, "writing", f"a file can be made in {', '.join(map(str, tried))}"


def _nearest_folder(place: Path) -> Path:
    folder = place.resolve()
    while not folder.exists():
        folder = folder.parent
    return folder


def _own_models(settings: Settings) -> Iterator[Finding]:
    """Whether a run can read the folder; what SQL does with the data, the run and `hem-etl check` say."""
    if settings.own_models is None:
        return
    try:
        own = load_own(settings.own_models, packaged_models())
    except (ModelError, OSError) as error:
        yield FAIL, "own models", f"{' '.join(str(error).split())}. Until then runs leave the schema own empty"
        return
    yield OK, "own models", f"{len(own.models)} models and {len(own.seeds)} seeds in {settings.own_models}"


def _lock(warehouse: Warehouse) -> Finding:
    try:
        holder = warehouse.holder()
    except HemEtlError as error:
        return FAIL, "writer", str(error)
    if holder is None:
        return OK, "writer", "nobody is writing"
    return WARN, "writer", f"{holder} is writing; other runs wait for it, readers do not"


def examine_published(settings: Settings, warehouse: Warehouse) -> Iterator[Finding]:
    """What the published file tells of the fleet."""
    described = warehouse.describe()
    if described.published_bytes is None:
        yield WARN, "published file", f"{described.published} does not exist yet: `hem-etl run` makes it"
        return
    try:
        numbers = published_numbers(warehouse)
    except HemEtlError as error:
        yield FAIL, "published file", str(error)
        return
    yield (
        OK,
        "published file",
        f"{described.published_bytes / 1e6:.1f} MB, {numbers.systems} systems; in DuckDB: {described.attach}",
    )
    if numbers.systems_without_vendor:
        yield (
            WARN,
            "vendors",
            f"{numbers.systems_without_vendor} of {numbers.systems} systems have none: neither their object nor an "
            "asset names it, and sums call them unknown. Ask Enode to let this client read /inverters, /batteries and "
            "/meters, or the users to link with those scopes",
        )
    if numbers.homes_there_twice:
        yield (
            WARN,
            "homes",
            f"{numbers.homes_there_twice} pairs of systems hold the same days: `hem-etl check` names them; sums count "
            "both",
        )
    days = (datetime.now(UTC).date() - settings.start_date).days + 1
    count = (settings.system_buckets or numbers.systems) * days
    if days < 1:
        yield (
            FAIL,
            "partitions",
            f"none: HEM_ETL_START_DATE={settings.start_date} has not come yet. Set it to the first day that is wanted",
        )
        return
    count_text = f"{count:,} of at most {MOST_PARTITIONS:,} ({days} days since HEM_ETL_START_DATE)"
    if count <= MANY_PARTITIONS:
        yield OK, "partitions", count_text
    else:
        yield WARN, "partitions", f"{count_text}: set HEM_ETL_SYSTEM_BUCKETS=64, or move HEM_ETL_START_DATE"
