from collections.abc import Callable
from datetime import date, timedelta
from urllib.parse import quote

import httpx
import pytest

from hem_etl.local_day import day_hours, days_between, first_instant
from hem_etl.simulator import Fleet, Home, Simulator, make_fleet
from hem_etl.vocabulary import SOC, WIRE_SPELLINGS, Vendor

from .conftest import TODAY, Clock

TRUE_RESOLUTIONS = {
    Vendor.ENPHASE: {15},
    Vendor.FOXESS: {5},
    Vendor.GIVENERGY: {5},
    Vendor.HUAWEI: {5},
    Vendor.SOLAREDGE: {15},
    Vendor.SOLAX: {5},
    Vendor.SOLIS: {5},
    Vendor.SMA: {5, 15},
    Vendor.TESLA: {5},
}


def test_a_fleet_begins_as_every_larger_one() -> None:
    assert make_fleet(5, today=TODAY).homes == make_fleet(40, today=TODAY).homes[:5]


def test_another_seed_is_another_fleet() -> None:
    ids = {home.system_id for seed in (1, 2) for home in make_fleet(seed=seed, today=TODAY).homes}
    assert len(ids) == 36


def test_a_large_fleet_has_an_id_for_every_home() -> None:
    assert len(make_fleet(1_000, today=TODAY).by_id) == 1_000


def test_two_homes_cannot_have_one_id(home: Callable[..., Home]) -> None:
    with pytest.raises(ValueError, match="same system_id"):
        Fleet([home(), home()])


def test_the_default_fleet_shows_every_vendor_at_its_resolution(fleet: Fleet) -> None:
    seen: dict[str, set[int]] = {}
    for home in fleet.homes:
        seen.setdefault(home.vendor, set()).update({home.flow_minutes(date(2026, 1, 1)), home.flow_minutes(TODAY)})
    assert seen == TRUE_RESOLUTIONS
    assert {home.soc_minutes(TODAY) for home in fleet.homes if home.vendor == Vendor.TESLA} == {15}
    assert {home.quirks.soc_name for home in fleet.homes} == {WIRE_SPELLINGS[SOC][0]}
    rich = make_fleet(18, today=TODAY, is_rich=True)
    assert {home.quirks.soc_name for home in rich.homes} == set(WIRE_SPELLINGS[SOC])


def test_one_home_switches_resolution_and_one_is_installed_within_two_weeks(fleet: Fleet) -> None:
    recent = [TODAY - timedelta(days=age) for age in range(14)]
    assert sum(len({home.flow_minutes(day) for day in recent}) > 1 for home in fleet.homes) == 1
    assert sum(home.installed_on in recent for home in fleet.homes) == 1


def test_one_user_owns_two_systems_of_two_vendors(fleet: Fleet) -> None:
    owners = [home.user_id for home in fleet.homes]
    shared = [home for home in fleet.homes if owners.count(home.user_id) == 2]
    assert [home.vendor for home in shared] == [Vendor.TESLA, Vendor.HUAWEI]


def test_the_default_fleet_shows_every_kind_of_clock_change(fleet: Fleet) -> None:
    year = list(days_between(date(2026, 1, 1), date(2026, 12, 31)))
    lengths = {day_hours(day, home.zone) for home in fleet.homes for day in year}
    assert lengths == {23, 23.5, 24, 24.5, 25}
    late_starts = {
        home.timezone
        for home in fleet.homes
        for day in year
        if first_instant(day, home.zone).astimezone(home.zone).hour == 1
    }
    assert late_starts == {"Africa/Cairo", "America/Santiago", "America/Havana"}


HOSTILE = ["a/../b", "x?y=1#z", "'; drop table core.system; --", "größe ☀ 家", "x" * 300, "..", "100%25", "a b+c", "."]


def test_hostile_ids_are_decoded_exactly_once(
    home: Callable[..., Home], clock: Clock, connect: Callable[[Simulator], httpx.Client]
) -> None:
    homes = [home(system_id=text, user_id=text) for text in HOSTILE]
    client = connect(Simulator(Fleet(homes), clock=clock))
    for text in HOSTILE:
        encoded = quote(text, safe="")
        if text not in (".", ".."):  # no spelling of these survives as a part of a path everywhere
            assert client.get(f"/hem-systems/{encoded}").json()["id"] == text
            assert client.get(f"/hem-systems/{encoded}/statistics?interval=2026-11-01").status_code == 200
            assert [row["id"] for row in client.get(f"/users/{encoded}/hem-systems").json()["data"]] == [text]
    assert client.get(f"/hem-systems/{quote(quote('a/../b', safe=''), safe='')}").status_code == 404
