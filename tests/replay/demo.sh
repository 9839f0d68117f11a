#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The main job, shown and judged: a private bus, a daemon with a manual clock, and a month of the
# company from generate.py played over the bus; or real requests, with DATA=file.csv. Then what an
# operator looks at, and last the daemon's verdict on every ticket against the reference.
#
#   DATA=file.csv         requests to the City of Boston, see boston.py
#   TICKETS=10000         how many are generated without DATA
#
# and what lib.sh says.

set -eu

name=demo
# shellcheck source=tests/replay/lib.sh
. "$(dirname "$0")/lib.sh"
data=${DATA:-}

need ${data:+"$data"}
make_place

operator() {
        say "aftersalesctl $*"
        "$build/aftersalesctl" "$@"
}

dealer_who_owes() {
        "$build/aftersalesctl" --json owed list --limit 1 |
                "$python" -c 'import json, sys; print(json.load(sys.stdin)["rows"][0]["dealer"])'
}

if [ -n "$data" ]; then
        say "The requests in $data"
        "$python" "$here/boston.py" "$data" "$work/script" "$work/verdicts"
        policy=boston.yaml
        set -- "$work/verdicts"
        export TZ=UTC
else
        say "A month of the company, invented"
        "$python" "$here/generate.py" --tickets "${TICKETS:-10000}" >"$work/script"
        echo "$(grep -c 'Units\.Create' "$work/script") units," \
                "$(grep -c 'Tickets\.' "$work/script") calls about tickets"
        policy=demo.yaml
        set --
        export TZ=Asia/Shanghai
fi

start_bus
start_daemon "$here/$policy"

say "Played over the bus, in time order"
play_script

# The reference computes while the operator looks.
"$python" "$here/reference.py" "$work/script" "$here/$policy" "$work/result" "$@" \
        >"$work/comparison" &
reference=$!
pids="$! $pids"
ticket=T$("$python" "$here/reference.py" --pick "$work/result")

operator status
operator escalation list --limit 10
operator ticket history "$ticket"
operator ticket explain "$ticket"

if [ -z "$data" ]; then
        say "Old parts that must come back, and who owes them at the end"
        operator owed list --limit 10
        operator core list overdue=true --limit 10
        operator assessment list item=return_late --limit 5
        operator stock totals
        operator plan show "$(dealer_who_owes)" 2026-10
fi

say "The daemon's verdict on every ticket and core, against the reference"
status=0
wait $reference || status=$?
cat "$work/comparison"
exit "$status"
