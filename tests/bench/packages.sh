#!/bin/sh
# Installs what the peers of the figures need, each for itself; what cannot be had is left out of the figures and is
# said to be. Never a need of the tests.
set -u
cd "$(dirname "$0")/../.."
peer() {
        name=$1
        shift
        sh tests/packages.sh "$@" || echo "figures without $name: these Debian packages are missing: $*" >&2
}
peer SQLite libsqlite3-dev
peer PostgreSQL postgresql libpq-dev
