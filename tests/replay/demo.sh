#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The main job, shown and judged: a private bus, a daemon with a manual clock, and a month of the
# company from generate.py played over the bus; or real requests, with DATA=file.csv. Then what an
# operator looks at, and last the daemon's verdict on every ticket against the reference.
#
#   BUILD=build/release   where the programs are
#   DATA=file.csv         requests to the City of Boston, see boston.py
#   TICKETS=10000         how many are generated without DATA
#   TMPDIR=...            where the store and all else is meanwhile; unless given, in memory if
#                         /dev/shm has the room: what is thrown away need not wait for a disk

set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=$(realpath "${BUILD:-build/release}")
data=${DATA:-}
python=/usr/bin/python3
room=1048576 # KiB
pids=

for file in "$build/aftersalesd" "$build/aftersalesctl" "$build/tests/replay" ${data:+"$data"}; do
        if ! [ -r "$file" ]; then
                echo "demo: there is no $file" >&2
                exit 1
        fi
done

export PYTHONDONTWRITEBYTECODE=1

if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ] &&
        [ "$(df -Pk /dev/shm | awk 'NR == 2 { print $4 }')" -ge $room ]; then
        export TMPDIR=/dev/shm
fi
work=$(mktemp -d)

# shellcheck disable=SC2317 # the trap calls it
end() {
        status=$?
        trap - EXIT INT TERM
        for pid in $pids; do
                kill "$pid" 2>/dev/null || true
                wait "$pid" 2>/dev/null || true
        done
        rm -rf "$work"
        exit "$status"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() {
        printf '\n== %s\n' "$*"
}

# fail LOG MESSAGE: with what the log says last.
fail() {
        tail -n 20 "$1" >&2
        echo "demo: $2" >&2
        exit 1
}

# await PID COMMAND...: until the command succeeds, as long as the process lives.
await() {
        pid=$1
        shift
        for _ in $(seq 200); do
                if "$@" >/dev/null 2>&1; then
                        return 0
                fi
                kill -0 "$pid" 2>/dev/null || return 1
                sleep 0.05
        done
        return 1
}

start_bus() {
        cat >"$work/bus.conf" <<END
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=$work/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
  </policy>
</busconfig>
END
        dbus-daemon --config-file="$work/bus.conf" --nofork --nopidfile --nosyslog \
                2>"$work/bus.log" &
        pids=$!
        export DBUS_SYSTEM_BUS_ADDRESS="unix:path=$work/bus"
        await $! test -S "$work/bus" || fail "$work/bus.log" "the bus did not start"
}

# The daemon's clock stands at the first event. Whoever is not root needs a role.
start_daemon() {
        first=$(head -n 1 "$work/script" | cut -f 1)
        cp "$here/$policy" "$work/policy.yaml"
        if [ "$(id -u)" -ne 0 ]; then
                echo "  - {user: $(id -un), role: demonstrator, scope: headquarters}" \
                        >>"$work/policy.yaml"
        fi
        mkdir "$work/state"
        "$build/aftersalesd" --foreground --config="$work/policy.yaml" --state="$work/state" \
                --clock="manual=$(date -u -d "@$((first / 1000000))" +%FT%TZ)" 2>"$work/log" &
        pids="$! $pids"
        await $! "$build/aftersalesctl" status || fail "$work/log" "the daemon did not start"
}

operator() {
        say "aftersalesctl $*"
        "$build/aftersalesctl" "$@"
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
start_daemon

say "Played over the bus, in time order"
"$build/tests/replay" "$work/script" "$work/result" || fail "$work/log" "the replay failed"

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

say "The daemon's verdict on every ticket, against the reference"
status=0
wait $reference || status=$?
cat "$work/comparison"
exit "$status"
