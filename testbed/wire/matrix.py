"""Documented against accepted suites, listener by listener. Pure: scans in, a matrix out."""

from collections.abc import Iterator, Mapping, Sequence

from testbed.documented.tls import Suite, TlsProfile
from testbed.results import Cell, Matrix, MatrixRow
from testbed.wire.scan import ListenerScan, VersionScan
from testbed.wire.tls_messages import offered
from testbed.wire.verdict import agreed_suites, usable


def matrix(subject: str, scans: Mapping[str, ListenerScan], profile: TlsProfile) -> Matrix:
    """Build the matrix of ``scans`` (by the listener's name), with every version asked about.

    On versions and suites it agrees with ``verdict.judge``: a cell differs exactly where that finds
    a difference.
    """
    probed = dict.fromkeys(
        version_scan.version for scan in scans.values() for version_scan in scan.versions
    )
    versions = [
        *profile.versions,
        *(version for version in probed if version not in profile.versions),
    ]
    rows = tuple(
        row
        for version in versions
        for row in _rows(version, [scan.version(version) for scan in scans.values()], profile)
    )
    return Matrix(subject, tuple(scans), rows)


def _rows(
    version: str, scans: Sequence[VersionScan | None], profile: TlsProfile
) -> Iterator[MatrixRow]:
    """Yield the documented suites in the page's order, other accepted ones, and the rest as one."""
    documented = {
        suite.code: suite
        for suite in profile.suites
        if version in profile.versions and usable(suite, version)
    }
    chosen = {suite.code: suite for scan in scans if scan for suite in scan.accepted}
    suites = documented | {code: suite for code, suite in chosen.items() if code not in documented}
    for code, suite in suites.items():
        yield MatrixRow(
            version,
            suite,
            tuple(
                _cell(suite, scan, _documented(version, profile, named=code in documented))
                for scan in scans
            ),
        )
    others = len(set(offered(version)) - suites.keys())
    yield MatrixRow(
        version,
        None,
        tuple(_rest(scan, _documented(version, profile, named=False)) for scan in scans),
        others,
    )


def _documented(version: str, profile: TlsProfile, *, named: bool) -> bool | None:
    return None if version in profile.unstated else named


def _cell(suite: Suite, scan: VersionScan | None, documented: bool | None) -> Cell:
    if scan is None:
        return Cell(documented, None, "not asked")
    if suite not in scan.accepted:
        return _rest(scan, documented)
    # A documented suite has to complete a handshake; for any other it is enough to be chosen.
    if documented and suite.code not in agreed_suites(scan):
        reason = dict(scan.unconfirmed).get(suite, "no complete handshake")
        return Cell(documented, accepted=False, detail=reason)
    exchange = scan.exchange(suite)
    return Cell(documented, accepted=True, detail=exchange.group.iana if exchange else "")


def _rest(scan: VersionScan | None, documented: bool | None) -> Cell:
    if scan is None:
        return Cell(documented, None, "not asked")
    return Cell(documented, False if scan.refusal.conclusive else None, str(scan.refusal))
