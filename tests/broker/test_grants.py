"""No grant of a broker outlives it, at whatever point the process that created it was killed."""

import signal
import subprocess
import sys
from itertools import count

import pytest

from testbed.errors import NotFoundException
from testbed.key import Key
from testbed.testbed import Testbed

pytestmark = pytest.mark.containers

# Begins to create a broker in a child, and kills it before or after the n-th call or note.
_SCRIPT = """
import os, signal, sys
from testbed.state.store import State
from testbed.testbed import Testbed
from testbed.trail.recording import RecordingKms

left = 0

def point():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def counted(function):
    def call(*arguments):
        point()
        answer = function(*arguments)
        point()
        return answer
    return call

RecordingKms.call, State.put = counted(RecordingKms.call), counted(State.put)
folder, key = sys.argv[1:]
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        testbed = Testbed(folder, start=False)
        left = int(line)
        testbed.brokers.begin_create(testbed.request("RABBITMQ", "killed", key))
        os._exit(0)
    print(os.waitpid(pid, 0)[1], flush=True)
"""


def present(key: Key) -> set[str]:
    return {grant["GrantId"] for grant in key.call("ListGrants")["Grants"]}


def test_a_killed_creation_leaves_no_grant(testbed: Testbed, kms_key: Key) -> None:
    strays = 0
    with subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, testbed.state.folder, kms_key.arn],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        for point in count(1):
            process.stdin.write(f"{point}\n")
            process.stdin.flush()
            status = int(process.stdout.readline())
            killed = [b for b in testbed.brokers.peek_all() if b.key_arn == kms_key.arn]
            noted = {grant.grant_id for broker in killed for grant in broker.grants}
            strays += len(present(kms_key) - noted)
            for broker in killed:
                with pytest.raises(NotFoundException):  # as `testbed up` and maintenance remove it
                    testbed.upkeep.revive(broker.broker_id)
            testbed.wait_out_delay()
            assert present(kms_key) == set(), point
            if status == 0:
                break
            assert status == signal.SIGKILL
        process.stdin.close()
    assert point > 10
    assert strays, "control: some were killed between a grant and its note"
