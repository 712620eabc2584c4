"""Authority, intermediate, and the brokers' certificates: sound ones and deliberately bad ones."""

from testbed.pki.authority import Authority
from testbed.pki.certificate import Certificate
from testbed.pki.profiles import bad_names

__all__ = ["Authority", "Certificate", "bad_names"]
