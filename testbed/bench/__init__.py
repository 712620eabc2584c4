"""What encryption costs, measured on real brokers; see docs/measuring.md.

In layers, each of which knows only those before it: what to run (``target``, ``spec``, with the
``host`` and ``statistics`` below), the ``load``, the measured data (``results``), what it means
(``analysis``, ``table``), running (``rounds``, ``run``, ``distributed``, ``yardstick``), and
``render``.
"""
