"""Which line of a node's log says why it ended."""

import pytest

from testbed.broker.log_lines import telling, without

_CRASH = """\
2026-11-28 10:00:01.0 [info] <0.9.0> Starting broker
2026-11-28 10:00:02.0 [error] <0.254.0>
2026-11-28 10:00:02.0 [error] <0.254.0> BOOT FAILED
2026-11-28 10:00:02.0 [error] <0.254.0> ===========
2026-11-28 10:00:02.0 [error] <0.254.0>   crasher:
2026-11-28 10:00:02.0 [error] <0.254.0>     heap_size: 987
2026-11-28 10:00:02.0 [error] <0.254.0>     stack_size: 29
2026-11-28 10:00:02.0 [error] <0.254.0>     reductions: 102
    heap_size: 987
    stack_size: 29
    reductions: 102
"""
_REASON = _CRASH.replace(
    "BOOT FAILED\n",
    "BOOT FAILED\n"
    "2026-11-28 10:00:02.0 [error] <0.254.0> Exception during startup:\n"
    "2026-11-28 10:00:02.0 [error] <0.254.0>\n"
    "2026-11-28 10:00:02.0 [error] <0.254.0> error:{case_clause,{ok,[]}}\n",
)


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("", ""),
        ("one\n\ntwo\nthree\n", "two | three"),
        (_CRASH, "BOOT FAILED"),
        (_REASON, "error:{case_clause,{ok,[]}}"),
        (
            _CRASH + "doRead 12: corrupt block #58: cipher: message authentication failed\n" * 9,
            "doRead 12: corrupt block #58: cipher: message authentication failed",
        ),
        (
            "Password incorrect.\ntestbed-enter: the data key does not open the volume\n",
            "testbed-enter: the data key does not open the volume",
        ),
        (
            "testbed-enter: standby: another node has it\nERROR | Failed to start (bean, null)\n",
            "ERROR | Failed to start (bean, null)",
        ),
    ],
)
def test_it_is_the_entry_points_or_gocryptfs_or_the_brokers_first_error(
    log: str, words: str
) -> None:
    quoted = telling(log)
    if log in (_CRASH, _REASON):
        assert quoted.endswith(words)
        assert "heap_size" not in quoted
    else:
        assert quoted == words


def test_colours_are_left_out_and_long_lines_cut() -> None:
    assert (
        telling("\x1b[33mdoRead 1: corrupt block #0: no\x1b[0m") == "doRead 1: corrupt block #0: no"
    )
    assert len(telling("ERROR " + "x" * 5000)) < 400


def test_no_secret_stays() -> None:
    assert without("as jane with s3cret-s3cret", ("s3cret-s3cret", "")) == "as jane with ***"


def test_a_password_that_begins_another_leaves_nothing_of_it() -> None:
    assert without("as jane with s3cret-s3cret-2", ("s3cret-s3cret", "s3cret-s3cret-2")) == (
        "as jane with ***"
    )
