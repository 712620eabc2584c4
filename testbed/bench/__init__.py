"""What encryption costs, measured on real brokers; see docs/measuring.md.

In layers, each of which knows only those before it: what to run (``encryption``, ``spec``,
``target``), the ``load`` and its ``host``, the measured data (``results``, ``statistics``), running
(``rounds``, ``run``, ``distributed``, ``yardstick``), what it means (``analysis``, ``compare``,
``table``), and ``render``.
"""
