"""Entry point: read one line of JSON, and do what it says.

``tool`` names the script, the other members are the arguments of its ``main``.
"""

import importlib
import json
import sys

sys.path.insert(0, "/opt/fault")
order = json.loads(sys.stdin.readline())
importlib.import_module(order.pop("tool")).main(**order)
