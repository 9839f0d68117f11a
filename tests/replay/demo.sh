#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The main job, shown and judged: a private bus, a daemon with a manual clock, and a month of the
# company from generate.py played over the bus; or real requests, with DATA=file.csv. Then what an
# operator looks at, and last the daemon's verdict on every ticket against the reference.
#
#   BUILD=build/release   the programs        TICKETS=10000   how many are generated
#   DATA=file.csv         requests in the form of boston.py

set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${BUILD:-build/release}" && pwd)
data=${DATA:-}
export PYTHONDONTWRITEBYTECODE=1
python=/usr/bin/python3
work=$(mktemp -d)
bus_pid=
daemon_pid=

end() {
        status=$?
        trap - EXIT INT TERM
        for pid in $daemon_pid $bus_pid; do
                kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true
        done
        rm -rf "$work"
        exit $status
}
trap end EXIT
trap 'exit 130' INT TERM

say() {
        printf '\n== %s\n' "$*"
}

start_bus() {
        cat >"$work/bus.conf" <<-END
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
        dbus-daemon --config-file="$work/bus.conf" --nofork --nopidfile --nosyslog 2>"$work/bus.log" &
        bus_pid=$!
        export DBUS_SYSTEM_BUS_ADDRESS="unix:path=$work/bus"
        wait_for "the bus" "$bus_pid" test -S "$work/bus"
}

# wait_for WHAT PID COMMAND...: until the command succeeds.
wait_for() {
        what=$1 pid=$2
        shift 2
        for _ in $(seq 200); do
                if "$@" >/dev/null 2>&1; then
                        return
                fi
                kill -0 "$pid" 2>/dev/null || break
                sleep 0.05
        done
        echo "demo: $what did not start" >&2
        exit 1
}

# The clock stands at the first event.
start_daemon() {
        begin=$(date -u -d "@$(($(head -n 1 "$work/script" | cut -f 1) / 1000000))" +%FT%TZ)
        cp "$here/$1" "$work/policy.yaml"
        if [ "$(id -u)" -ne 0 ]; then
                echo "  - {user: $(id -un), role: demonstrator, scope: headquarters}" \
                        >>"$work/policy.yaml"
        fi
        mkdir "$work/state"
        "$build/aftersalesd" --foreground --clock=manual="$begin" --config="$work/policy.yaml" \
                --state="$work/state" 2>"$work/log" &
        daemon_pid=$!
        wait_for "the daemon" "$daemon_pid" "$build/aftersalesctl" status || {
                cat "$work/log" >&2
                exit 1
        }
}

if [ -n "$data" ]; then
        say "The requests in $data"
        "$python" "$here/boston.py" "$data" "$work/script" "$work/verdicts"
        policy=boston.yaml
        verdicts=$work/verdicts
else
        say "A month of the company, invented"
        "$python" "$here/generate.py" --tickets "${TICKETS:-10000}" >"$work/script"
        grep -c 'Units.Create' "$work/script" | sed 's/$/ units/'
        grep -c 'Tickets\.' "$work/script" | sed 's/$/ calls about tickets/'
        policy=demo.yaml
        verdicts=
fi

start_bus
start_daemon $policy

say "Played over the bus in time order"
"$build/tests/replay" "$work/script" "$work/result" || {
        tail -n 20 "$work/log" >&2
        exit 1
}

# The reference works while the operator looks.
"$python" "$here/reference.py" "$work/script" "$here/$policy" "$work/result" $verdicts \
        >"$work/comparison" &
reference_pid=$!
ticket=T$("$python" "$here/reference.py" --pick "$work/result")

say "aftersalesctl status"
"$build/aftersalesctl" status
say "aftersalesctl escalation list --limit 10"
"$build/aftersalesctl" escalation list --limit 10
say "aftersalesctl ticket history $ticket"
"$build/aftersalesctl" ticket history "$ticket"
say "aftersalesctl ticket explain $ticket"
"$build/aftersalesctl" ticket explain "$ticket"

say "The daemon's verdict on every ticket, against the reference"
status=0
wait $reference_pid || status=$?
cat "$work/comparison"
exit $status
