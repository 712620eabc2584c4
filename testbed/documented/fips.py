"""What a TLS client limited to FIPS-approved algorithms offers. These rules are NIST's, not AWS's.

The data-protection page mentions FIPS 140-3 endpoints (DP) but not their cipher suites. NIST says:

- SP 800-52 Rev. 2 (August 2019): only TLS 1.2 and 1.3 (section 3.1), and the suites of a server
  with an RSA or ECDSA certificate (section 3.3.1). FIPS 186-5 withdrew DSA, so its suites are out.
- SP 800-56A Rev. 3, appendix D: the groups. X25519 and X448 are not among them.
- FIPS 186-5 and SP 800-131A Rev. 2, section 3: signatures use SHA-2, never SHA-1, and RSA keys have
  at least 2048 bits.
- SP 800-131A Rev. 2, section 6: key transport with PKCS #1 v1.5 padding (the TLS_RSA_* suites) is
  disallowed after 2023. SP 800-52 Rev. 2 lists those suites only in appendix D, for a transition.
- FIPS 140-3 Implementation Guidance D.Q: modules submitted for validation since May 2023 use the
  extended master secret (RFC 7627) with TLS 1.2, and refuse a server that does not.

This covers algorithms only. The cryptographic modules in the testbed's images are not validated.
"""

from testbed.documented.tls import TLS13_SUITES, Suite, suites

VERSIONS = ("TLSv1.2", "TLSv1.3")

SUITES = (
    *suites(
        ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256", 0xC02B),
        ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384", 0xC02C),
        ("TLS_ECDHE_ECDSA_WITH_AES_128_CCM", "ECDHE-ECDSA-AES128-CCM", 0xC0AC),
        ("TLS_ECDHE_ECDSA_WITH_AES_256_CCM", "ECDHE-ECDSA-AES256-CCM", 0xC0AD),
        ("TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8", "ECDHE-ECDSA-AES128-CCM8", 0xC0AE),
        ("TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8", "ECDHE-ECDSA-AES256-CCM8", 0xC0AF),
        ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "ECDHE-ECDSA-AES128-SHA256", 0xC023),
        ("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", "ECDHE-ECDSA-AES256-SHA384", 0xC024),
        ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA", 0xC009),
        ("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA", 0xC00A),
        ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", 0xC02F),
        ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384", 0xC030),
        ("TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", "DHE-RSA-AES128-GCM-SHA256", 0x009E),
        ("TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", "DHE-RSA-AES256-GCM-SHA384", 0x009F),
        ("TLS_DHE_RSA_WITH_AES_128_CCM", "DHE-RSA-AES128-CCM", 0xC09E),
        ("TLS_DHE_RSA_WITH_AES_256_CCM", "DHE-RSA-AES256-CCM", 0xC09F),
        ("TLS_DHE_RSA_WITH_AES_128_CCM_8", "DHE-RSA-AES128-CCM8", 0xC0A2),
        ("TLS_DHE_RSA_WITH_AES_256_CCM_8", "DHE-RSA-AES256-CCM8", 0xC0A3),
        ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "ECDHE-RSA-AES128-SHA256", 0xC027),
        ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", "ECDHE-RSA-AES256-SHA384", 0xC028),
        ("TLS_DHE_RSA_WITH_AES_128_CBC_SHA256", "DHE-RSA-AES128-SHA256", 0x0067),
        ("TLS_DHE_RSA_WITH_AES_256_CBC_SHA256", "DHE-RSA-AES256-SHA256", 0x006B),
        ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA", 0xC013),
        ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA", 0xC014),
        ("TLS_DHE_RSA_WITH_AES_128_CBC_SHA", "DHE-RSA-AES128-SHA", 0x0033),
        ("TLS_DHE_RSA_WITH_AES_256_CBC_SHA", "DHE-RSA-AES256-SHA", 0x0039),
    ),
    *TLS13_SUITES,
    *suites(
        ("TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_SHA256", 0x1304),
        ("TLS_AES_128_CCM_8_SHA256", "TLS_AES_128_CCM_8_SHA256", 0x1305),
    ),
)

# Codes of the registries "TLS Supported Groups" and "TLS SignatureScheme".
GROUPS = {
    0x0017: "secp256r1",
    0x0018: "secp384r1",
    0x0019: "secp521r1",
    0x0100: "ffdhe2048",
    0x0101: "ffdhe3072",
    0x0102: "ffdhe4096",
    0x0103: "ffdhe6144",
    0x0104: "ffdhe8192",
}
# Approved Diffie-Hellman primes without a code (SP 800-56A Rev. 3, table 24: RFC 3526).
MODP_BITS = (2048, 3072, 4096, 6144, 8192)
SIGNATURES = {
    0x0403: "ecdsa_secp256r1_sha256",
    0x0503: "ecdsa_secp384r1_sha384",
    0x0603: "ecdsa_secp521r1_sha512",
    0x0804: "rsa_pss_rsae_sha256",
    0x0805: "rsa_pss_rsae_sha384",
    0x0806: "rsa_pss_rsae_sha512",
    0x0809: "rsa_pss_pss_sha256",
    0x080A: "rsa_pss_pss_sha384",
    0x080B: "rsa_pss_pss_sha512",
    0x0401: "rsa_pkcs1_sha256",
    0x0501: "rsa_pkcs1_sha384",
    0x0601: "rsa_pkcs1_sha512",
}
RSA_BITS = 2048  # minimum

_KEY_TRANSPORT = (
    "key transport with PKCS #1 v1.5 padding is disallowed after 2023 "
    "(SP 800-131A Rev. 2, section 6)"
)
_OTHER = "not among the suites of SP 800-52 Rev. 2, section 3.3.1"
_SHA1 = (
    "HMAC with SHA-1 is approved, and NIST ends it after 2030 (announcement of 15 December 2022)"
)


def why_outside(suite: Suite) -> str:
    """Return why an approved client does not offer ``suite``; empty if it does."""
    if suite in SUITES:
        return ""
    return _KEY_TRANSPORT if suite.iana.startswith("TLS_RSA_WITH_AES_") else _OTHER


def remark(suite: Suite) -> str:
    """Return a caveat about an approved suite; empty for most."""
    return _SHA1 if suite in SUITES and suite.iana.endswith("_SHA") else ""
