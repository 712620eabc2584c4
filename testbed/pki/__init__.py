"""Authority, intermediate, and the brokers' certificates: sound ones and deliberately bad ones."""

from testbed.pki.authority import Authority
from testbed.pki.certificate import Certificate
from testbed.pki.profiles import BAD

__all__ = ["BAD", "Authority", "Certificate"]
