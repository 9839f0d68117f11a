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
# It asks whether to set up a database in the machine's own server: no, the figures have theirs.
[ "$(id -u)" -ne 0 ] || ! command -v debconf-set-selections >/dev/null ||
        echo request-tracker5 request-tracker5/dbconfig-install boolean false | debconf-set-selections
peer 'Request Tracker' postgresql request-tracker5 rt5-db-postgresql
