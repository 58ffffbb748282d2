"""Money, periods, envelopes and tokens: the small values everything stands on."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from toy import message, submitted

from paybill_common import telemetry
from paybill_common.auth import BadToken, TokenVerifier
from paybill_common.bus import Record
from paybill_common.clock import StartedClock, london_date
from paybill_common.config import UnknownSetting, read_settings
from paybill_common.envelope import BadEnvelope, decode
from paybill_common.ids import derived_id, in_order, new_id, pair_in_order
from paybill_common.money import NotMoney, from_pence, half_up_pence, line_pence, to_pence
from paybill_common.periods import BadPeriod, DateRange, week_ending_of, week_of
from paybill_common.rows import rows_json


@given(st.integers(min_value=-(10**12), max_value=10**12))
def test_pence_and_pounds_are_the_same_amount(pence: int) -> None:
    assert to_pence(from_pence(pence)) == pence


@pytest.mark.parametrize("bad", ["0.001", "NaN", "Infinity", "12.345"])
def test_what_is_not_pounds_and_pence_is_refused(bad: str) -> None:
    with pytest.raises(NotMoney):
        to_pence(Decimal(bad))


@pytest.mark.parametrize(
    ("exact", "pence"), [("1/2", 1), ("-1/2", -1), ("3/2", 2), ("149/100", 1), ("0", 0), ("-3/2", -2)]
)
def test_halves_round_away_from_zero(exact: str, pence: int) -> None:
    assert half_up_pence(Fraction(exact)) == pence


def test_a_line_rounds_once() -> None:
    assert line_pence(Decimal("12.7100"), minutes=440) == 9321  # 7:20 x 12.71 = 93.20666..
    assert line_pence(Decimal("150.0000"), units=Decimal("2.25")) == 33750


@given(st.decimals(-9999, 9999, places=4), st.integers(-10_000, 10_000), st.decimals(Decimal("-99.75"), 99, places=4))
def test_a_line_is_its_exact_amount_rounded_once(rate: Decimal, minutes: int, units: Decimal) -> None:
    assert line_pence(rate, minutes=minutes) == half_up_pence(Fraction(rate) * minutes * 100 / 60)
    assert line_pence(rate, units=units) == half_up_pence(Fraction(rate) * Fraction(units) * 100)


@given(st.integers(min_value=0, max_value=100_000), st.integers(min_value=0, max_value=100_000))
def test_pay_never_falls_as_minutes_rise(a: int, b: int) -> None:
    low, high = sorted((a, b))
    assert line_pence(Decimal("13.3333"), minutes=low) <= line_pence(Decimal("13.3333"), minutes=high)


def test_a_week_ends_on_a_sunday() -> None:
    assert week_of(date(2026, 4, 5)) == DateRange(date(2026, 3, 30), date(2026, 4, 6))
    assert week_ending_of(date(2026, 3, 30)) == date(2026, 4, 5)
    with pytest.raises(BadPeriod, match="Saturday"):
        week_of(date(2026, 4, 4))


@given(
    st.dates(date(2000, 1, 1), date(2099, 1, 1)),
    st.integers(1, 60),
    st.dates(date(2000, 1, 1), date(2099, 1, 1)),
    st.integers(1, 60),
)
def test_two_periods_overlap_when_they_share_a_day(a: date, la: int, b: date, lb: int) -> None:
    one, two = DateRange(a, a + timedelta(days=la)), DateRange(b, b + timedelta(days=lb))
    shared = any(a + timedelta(days=n) in two for n in range(la))
    assert one.overlaps(two) == shared == two.overlaps(one)


def test_working_time_is_london_time_across_both_changes() -> None:
    assert london_date(datetime(2026, 6, 30, 23, 30, tzinfo=UTC)) == date(2026, 7, 1)
    assert london_date(datetime(2026, 1, 31, 23, 30, tzinfo=UTC)) == date(2026, 1, 31)


def test_started_time_needs_a_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        StartedClock(datetime(2026, 4, 7))  # noqa: DTZ001  the point of the test


def test_ids_are_ordered_and_derived_ids_repeat() -> None:
    assert derived_id("a", 1) == derived_id("a", 1) != derived_id("a", 2)
    ids = [new_id() for _ in range(50)]
    assert len(set(ids)) == 50


@given(st.lists(st.tuples(st.uuids(), st.uuids())))
def test_ids_sorted_by_their_number_are_in_their_own_order(pairs: list[tuple[UUID, UUID]]) -> None:
    assert sorted(pairs, key=pair_in_order) == sorted(pairs)
    assert sorted((one for one, _ in pairs), key=in_order) == sorted(one for one, _ in pairs)


def test_an_envelope_survives_the_bus() -> None:
    data = submitted(1, 1)
    event = decode(Record("paybill.timesheet", 0, 0, data.partition_key(), message(data)))
    assert (event.data, event.key, event.subject) == (data, data.partition_key(), data.subject())


def test_an_unknown_type_is_read_but_has_no_data() -> None:
    text = message(submitted(1, 1)).replace("paybill.timesheet.submitted.v1", "paybill.timesheet.dreamt.v7")
    assert decode(Record("t", 0, 0, "k", text)).data is None


def test_of_an_ignored_type_the_envelope_alone_is_read() -> None:
    ignores = frozenset({type(submitted(1, 1))})
    broken = message(submitted(1, 1)).replace('"minutes":', '"not_minutes":')
    event = decode(Record("t", 0, 0, "k", broken), ignores=ignores)
    assert (event.type, event.key, event.data) == (submitted(1, 1).TYPE, submitted(1, 1).partition_key(), None)
    with pytest.raises(BadEnvelope, match="lacks sequence"):
        decode(Record("t", 0, 0, "k", broken.replace('"sequence":', '"not_sequence":')), ignores=ignores)


def test_tomorrows_optional_field_is_passed_over() -> None:
    text = message(submitted(1, 1)).replace('"source":"api"', '"source":"api","shift_pattern":"nights"')
    assert decode(Record("t", 0, 0, "k", text)).data == submitted(1, 1)


@pytest.mark.parametrize("field", ["worker_id", "minutes", "pay_basis"])
def test_data_that_does_not_fit_names_the_field(field: str) -> None:
    text = message(submitted(1, 1)).replace(f'"{field}":', f'"not_{field}":')
    with pytest.raises(BadEnvelope, match=field):
        decode(Record("t", 0, 0, "k", text))


@pytest.mark.parametrize("sequence", ["1e999", "NaN", "null", '"one"'])
def test_a_sequence_that_is_no_number_makes_a_bad_envelope(sequence: str) -> None:
    text = message(submitted(1, 1)).replace('"sequence":1', f'"sequence":{sequence}')
    with pytest.raises(BadEnvelope):
        decode(Record("t", 0, 0, "k", text))


def test_the_traceparent_is_that_of_the_current_span() -> None:
    assert telemetry.current_traceparent() is None
    with TracerProvider().get_tracer("test").start_as_current_span("work"):
        carrier: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(carrier)
        assert telemetry.current_traceparent() == carrier["traceparent"]


def test_rows_keep_their_amounts_days_and_ids() -> None:
    row = {
        "id": derived_id("row"),
        "gbp": Decimal("1.10"),
        "on": date(2026, 4, 5),
        "at": datetime(2026, 4, 5, 1, tzinfo=UTC),
    }
    read = json.loads(rows_json([{**row, "nothing": None, "minutes": 5}]))
    assert read == [
        {
            "id": str(row["id"]),
            "gbp": "1.10",
            "on": "2026-04-05",
            "at": "2026-04-05T01:00:00Z",
            "nothing": None,
            "minutes": 5,
        }
    ]


async def test_tokens_are_checked(keys) -> None:  # type: ignore[no-untyped-def]
    agency = new_id()
    verifier = TokenVerifier(jwks_file=keys.jwks_file)
    assert (await verifier.verify(keys.token(agency))).agencies == {agency}
    for bad in ("nonsense", keys.token(agency, seconds=-10), keys.token(agency)[:-4] + "AAAA"):
        with pytest.raises(BadToken):
            await verifier.verify(bad)
    with pytest.raises(BadToken, match="not known here"):
        await TokenVerifier(jwks_file=None).verify(keys.token(agency))
    with pytest.raises(BadToken, match="refused"):
        await TokenVerifier(jwks_file=keys.jwks_file, audience="somebody else").verify(keys.token(agency))


def test_a_misspelt_setting_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYBILL_KAFKA_BOOTSTARP", "x")
    with pytest.raises(UnknownSetting, match="PAYBILL_KAFKA_BOOTSTARP"):
        read_settings()
