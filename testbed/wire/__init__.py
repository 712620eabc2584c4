"""What a listener does on the wire, determined by asking it.

``tls_messages`` writes and reads TLS messages, ``connection`` exchanges them with a listener, and
``prober`` asks a listener everything with them. ``scan`` holds the answers; ``verdict`` and
``matrix`` compare them with the documentation. ``fips``, ``half_open``, ``session_features`` and
``protocol_greetings`` ask further questions. ``capture`` records what crosses a broker's network,
and ``load`` puts it under stress.
"""
