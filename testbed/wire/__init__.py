"""What a listener does on the wire, found out by asking it.

``hello`` writes and reads TLS messages as bytes, ``prober`` asks a listener with them, ``scan`` holds
what it answered, and ``verdict`` and ``matrix`` compare that with what is documented. Questions of their
own are ``fips``, ``greetings`` (another protocol) and ``half_open``. ``capture`` sees what crosses a
broker's network, and ``load`` puts it under stress.
"""
