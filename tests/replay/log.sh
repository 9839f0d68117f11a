#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The event log of somebody else's service desk, replayed on the real daemon and judged:
#
#   log.sh bpi2013|helpdesk FILE.csv
#
# What each line of the log means stands in bpi2013.py and helpdesk.py. The last line counts what came
# of it; the exit status is that of judge.py, which holds the counts against the file, and of the
# reference, which holds every ticket against docs/tickets.md. See also lib.sh.

set -eu

name=replay-$1
# shellcheck source=tests/replay/lib.sh
. "$(dirname "$0")/lib.sh"
export TZ=UTC

need "$2" "$here/$1.py"
make_place

say "The log in $2"
"$python" "$here/$1.py" "$2" "$work/script" "$work/events"
start_bus
start_daemon "$here/logs.yaml"

say "Played over the bus, in time order"
play_script
"$build/aftersalesctl" status

say "Every ticket, against the reference"
status=0
"$python" "$here/reference.py" "$work/script" "$here/logs.yaml" "$work/result" || status=$?
stop
"$build/aftersalesd" --check --config="$work/policy.yaml" --state="$work/state" ||
        fail "$work/log" "the store has faults"

say "Every event, against the log"
"$python" "$here/judge.py" "$1" "$2" "$work/events" "$work/result" || status=$?
exit "$status"
