"""When the process of an engine has ended; no container."""

import subprocess

import psutil

from testbed.runtime.engine_process import _runs


def test_an_engine_for_which_nothing_waits_has_ended() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        process = psutil.Process(child.pid)
        assert _runs(process)
        child.kill()
        while process.status() != psutil.STATUS_ZOMBIE:
            pass
        assert process.is_running(), "a zombie is a process to psutil"
        assert not _runs(process)
    assert not _runs(process)
