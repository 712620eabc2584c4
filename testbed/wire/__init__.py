"""What a listener does on the wire, found out by asking it.

``hello`` writes and reads TLS messages as bytes, ``prober`` asks a listener with them,
``scan`` holds what it answered, and ``verdict`` compares that with what is documented.
"""
