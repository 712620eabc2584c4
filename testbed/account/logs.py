"""CloudWatch Logs in moto, with events in whole milliseconds, and found in all streams by time.

Loading this module loads moto's Logs: import it at the first use.
"""

from typing import Any

from moto.logs.models import LogsBackend as MotoLogsBackend

from testbed.account.log_groups import ANY_END


class LogsBackend(MotoLogsBackend):
    """The log groups of an account in a Region."""

    def put_log_events(
        self, log_group_name: str, log_stream_name: str, log_events: list[dict[str, Any]]
    ) -> Any:
        whole = [{**event, "timestamp": int(event["timestamp"])} for event in log_events]
        return super().put_log_events(log_group_name, log_stream_name, whole)

    def filter_log_events(  # noqa: PLR0917 - as moto declares it
        self,
        log_group_name: str,
        log_stream_names: list[str],
        start_time: int,
        end_time: int,
        limit: int | None,
        next_token: str | None,
        filter_pattern: str,
        interleaved: bool,
    ) -> Any:
        """Return events in the order of their time, as AWS does whether ``interleaved`` or not.

        The name of a stream may have any end, see ``log_groups``.
        """
        group = self.groups.get(log_group_name)
        names = list(log_stream_names)
        if group and names and names[0].endswith(ANY_END):
            prefix = names[0].removesuffix(ANY_END)
            names = [name for name in group.streams if name.startswith(prefix)]
            if not names:
                return [], None, []
        return super().filter_log_events(
            log_group_name,
            names,
            start_time,
            end_time,
            limit,
            next_token,
            filter_pattern,
            interleaved=True,
        )
