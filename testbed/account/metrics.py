"""CloudWatch in moto, with the metrics of brokers, and with statistics as CloudWatch has them.

Loading this module loads moto's CloudWatch: import it at the first use.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.cloudwatch.exceptions import InvalidParameterValue, ValidationError
from moto.cloudwatch.models import CloudWatchBackend, MetricDatum, MetricDatumBase, Statistics

from testbed.documented.metrics import NAMESPACE, PER_MINUTE, UNITS, Dimensions, Value

KEPT = 3 * 3600  # seconds
_Asked = tuple[str, str, Dimensions, str | None]  # namespace, name, dimensions, unit


class MetricsBackend(CloudWatchBackend):
    """The metrics of an account in a Region: what was put, and those of its brokers.

    A metric is found by all of its dimensions and by no fewer, in GetMetricData as well.
    """

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.of_brokers: dict[str, dict[int, tuple[Value, ...]]] = {}
        self.forgotten: dict[str, tuple[Value, ...]] = {}  # each broker's values before those

    def put_values(self, broker_id: str, minute: int, values: Iterable[Value]) -> None:
        """Keep a broker's values of a minute, which is in seconds since 1970; forget old ones."""
        minutes = {**self.of_brokers.get(broker_id, {}), minute: tuple(values)}
        recent: dict[str, dict[int, tuple[Value, ...]]] = {}
        before: dict[str, tuple[Value, ...]] = {}
        for broker, kept in {**self.of_brokers, broker_id: minutes}.items():
            of_broker = {at: kept[at] for at in sorted(kept) if at > minute - KEPT}
            if of_broker:
                recent[broker] = of_broker
                last = max((at for at in kept if at not in of_broker), default=None)
                before[broker] = self.forgotten.get(broker, ()) if last is None else kept[last]
        self.of_brokers, self.forgotten = recent, before

    def get_filtered_metrics(
        self, metric_name: str, namespace: str, dimensions: list[dict[str, str]]
    ) -> list[MetricDatumBase]:
        """Return one value of each metric."""
        found = {
            (datum.namespace, datum.name, _dimensions(datum)): datum
            for datum in (*self.metric_data, *self._all_of_brokers())
            if datum.filter(namespace, metric_name, dimensions)
        }
        return list(found.values())

    def get_metric_statistics(  # noqa: PLR0917 - as moto declares it
        self,
        namespace: str,
        metric_name: str,
        start_time: datetime,
        end_time: datetime,
        period: int,
        stats: list[str],
        dimensions: list[dict[str, str]],
        unit: str | None = None,
    ) -> list[Statistics]:
        """Return the statistics of each period that has values."""
        if start_time >= end_time:
            raise InvalidParameterValue(
                "The parameter StartTime must be less than the parameter EndTime."
            )
        asked = _asked(namespace, metric_name, dimensions, unit)
        return list(self._periods(asked, start_time, end_time, period, stats))

    def get_metric_data(
        self,
        queries: list[dict[str, Any]],
        start_time: datetime,
        end_time: datetime,
        scan_by: str = "TimestampAscending",
    ) -> list[dict[str, Any]]:
        """Return the statistic of each query that returns data; none of them is an expression."""
        if start_time >= end_time:
            raise ValidationError("The parameter EndTime must be greater than StartTime.")
        results = []
        for query in queries:
            if not query.get("ReturnData", True):
                continue
            of, stat = query["MetricStat"], query["MetricStat"]["Stat"]
            metric = of["Metric"]
            name, dimensions = metric["MetricName"], metric.get("Dimensions", [])
            asked = _asked(metric["Namespace"], name, dimensions, of.get("Unit"))
            found = list(self._periods(asked, start_time, end_time, int(of["Period"]), [stat]))
            if scan_by == "TimestampDescending":
                found.reverse()
            results.append(
                {
                    "id": query["Id"],
                    "label": query.get("Label") or name,
                    "values": [datum.get_statistics_for_type(stat) for datum in found],
                    "timestamps": [datum.timestamp for datum in found],
                    "status_code": "Complete",
                }
            )
        return results

    def _periods(
        self,
        asked: _Asked,
        start: datetime,
        end: datetime,
        period: int,
        stats: list[str],
    ) -> Iterator[Statistics]:
        """Yield the periods from ``start``, rounded down to a minute."""
        start, end = _naive(start), _naive(end)
        start -= timedelta(seconds=start.second % min(period, 60), microseconds=start.microsecond)
        periods: dict[int, Statistics] = {}
        for datum in self._series(asked):
            if start <= _naive(datum.timestamp) < end:
                number = int((_naive(datum.timestamp) - start).total_seconds() // period)
                if number not in periods:
                    at = start + timedelta(seconds=number * period)
                    periods[number] = Statistics(stats, at, datum.unit)
                periods[number].metric_data.append(datum)
        return (periods[number] for number in sorted(periods))

    def _series(self, asked: _Asked) -> Iterator[MetricDatumBase]:
        namespace, name, dimensions, unit = asked
        for datum in self.metric_data:
            same = (datum.namespace, datum.name, _dimensions(datum)) == (
                namespace,
                name,
                dimensions,
            )
            if same and unit in (None, datum.unit):
                yield datum
        if namespace == NAMESPACE and unit in (None, UNITS.get(name)):
            for broker, values in self.of_brokers.items():
                yield from _of_broker(values, self.forgotten.get(broker, ()), name, dimensions)

    def _all_of_brokers(self) -> Iterator[MetricDatumBase]:
        for values in self.of_brokers.values():
            for name, dimensions in dict.fromkeys(
                (name, dimensions) for found in values.values() for name, dimensions, _ in found
            ):
                yield _datum(name, dimensions, 0, 0)


def _asked(
    namespace: str, name: str, dimensions: Sequence[Mapping[str, str]], unit: str | None
) -> _Asked:
    pairs = sorted((dimension["Name"], dimension["Value"]) for dimension in dimensions)
    return namespace, name, tuple(pairs), unit


def _of_broker(
    minutes: Mapping[int, tuple[Value, ...]],
    forgotten: Iterable[Value],
    name: str,
    dimensions: Dimensions,
) -> Iterator[MetricDatumBase]:
    """Yield the values of a metric; of those per minute, what was added since the one before.

    ``forgotten`` are the values of the last minute before ``minutes``.
    """
    before = 0.0
    for own, where, value in forgotten:
        if own == name and tuple(sorted(where)) == dimensions:
            before = value
    for minute, values in minutes.items():
        for own, where, value in values:
            if own != name or tuple(sorted(where)) != dimensions:
                continue
            if name in PER_MINUTE:
                # A broker that was started again counts from zero.
                added = value - before if value >= before else value
                before = value
                yield _datum(name, where, minute, added)
            else:
                yield _datum(name, where, minute, value)


def _datum(name: str, dimensions: Dimensions, minute: int, value: float) -> MetricDatumBase:
    at = datetime.fromtimestamp(minute, UTC)
    named = [{"Name": key, "Value": text} for key, text in dimensions]
    return MetricDatum(NAMESPACE, name, value, named, at, UNITS[name])


def _dimensions(datum: MetricDatumBase) -> Dimensions:
    return tuple(
        sorted((str(dimension.name), str(dimension.value)) for dimension in datum.dimensions)
    )


def _naive(at: datetime) -> datetime:
    """Return a time without its zone, as moto has some."""
    return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
