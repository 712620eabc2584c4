"""Ride out an outage of KMS: a wrapper that tries again when KMS did not answer.

botocore's own retries would do most of it, but bound neither the seconds nor the pauses: with six
attempts a call to a KMS that is down would take up to half a minute.
"""

import random
import time
from collections.abc import Callable, Mapping
from typing import Any

from testbed.errors import KmsError
from testbed.kms.base import Caller, Kms, is_outage


class RetryingKms:
    """Try a call up to ``attempts`` times, but not beyond ``patience`` seconds after the first.

    Only outages are tried again; a refusal (DisabledException, AccessDeniedException, ...) is an
    answer and raised at once. The pause before attempt n is random between 0 and
    ``min(longest, first * 2**(n-1))`` seconds ("full jitter"), so that callers who failed together
    do not come back together. As with AWS's own SDKs, a call whose answer was lost may take effect
    twice.

    ``ready`` is called before the first call and returns when KMS has started. If it raises, so
    does the call, and the next one asks again.
    """

    def __init__(
        self,
        kms: Kms,
        *,
        ready: Callable[[], object] = lambda: None,
        attempts: int = 6,
        patience: float = 10.0,
        first: float = 0.1,
        longest: float = 2.0,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._kms, self._ready, self._is_ready = kms, ready, False
        self._attempts, self._patience = attempts, patience
        self._first, self._longest = first, longest
        self._sleep, self._clock, self._jitter = sleep, clock, jitter

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """See ``Kms.call``; raises the last outage when patience or attempts are used up."""
        if not self._is_ready:
            self._ready()
            self._is_ready = True
        deadline = self._clock() + self._patience
        for attempt in range(1, self._attempts + 1):
            try:
                return self._kms.call(caller, operation, parameters)
            except KmsError as error:
                pause = self._jitter() * min(self._longest, self._first * 2 ** (attempt - 1))
                if (
                    not is_outage(error)
                    or attempt == self._attempts
                    or self._clock() + pause > deadline
                ):
                    raise
            self._sleep(pause)
        raise ValueError("attempts must be at least 1")
