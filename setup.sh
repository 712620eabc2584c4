#!/bin/sh
# Make the virtual environment that every command of the Makefile runs in. Argument: its folder.
set -eu
venv=$1
python=${PYTHON:-python3}

say() { echo "setup: $*" >&2; }
stop() { echo "setup: $1" >&2; echo "  hint: $2" >&2; exit 1; }

command -v "$python" >/dev/null || stop "There is no $python on this machine." "Install Python 3.11 or later, or name one: make PYTHON=/path/to/python3"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    stop "$("$python" --version) is too old: the testbed needs 3.11 or later." "Name a later one: make PYTHON=/path/to/python3"
if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    # Debian packages both apart from Python itself.
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null ||
        stop "$python has no venv module." "Install it (on Debian: apt-get install python3-venv)."
    say "installing the Debian package python3-venv: $python cannot make virtual environments"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
fi
say "making the virtual environment $venv (about half a minute)"
rm -rf "$venv"
"$python" -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check --editable '.[dev]' ||
    stop "The Python packages could not be installed." "pip says why above; a later try starts anew."
