"""What encryption costs, measured on real brokers; see docs/measuring.md.

In layers, each of which knows only those before it: what to run (``target``, ``spec``), the
``load`` and its ``host``, the measured data (``statistics``, ``results``), running (``rounds``,
``run``, ``distributed``, ``yardstick``), what it means (``analysis``, ``table``), and ``render``.
"""
