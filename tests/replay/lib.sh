# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# What every replay needs: a place to work in, a private bus, a daemon with a manual clock on it, and
# the end of all that. To be sourced; $name is the replay's, for its messages.
#
#   BUILD=build/release   where the programs are
#   TMPDIR=...            where the store and all else is meanwhile; unless given, in memory if
#                         /dev/shm has the room: what is thrown away need not wait for a disk

here=$(cd "$(dirname "$0")" && pwd)
build=$(realpath "${BUILD:-build/release}")
python=/usr/bin/python3
room=1048576 # KiB
pids=

export PYTHONDONTWRITEBYTECODE=1

# need FILE...
need() {
        for file in "$build/aftersalesd" "$build/aftersalesctl" "$build/tests/replay" "$@"; do
                if ! [ -r "$file" ]; then
                        echo "$name: there is no $file" >&2
                        exit 1
                fi
        done
}

# shellcheck disable=SC2317 # the trap calls it
end() {
        status=$?
        trap - EXIT INT TERM
        stop
        rm -rf "$work"
        exit "$status"
}

stop() {
        for pid in $pids; do
                kill "$pid" 2>/dev/null || true
                wait "$pid" 2>/dev/null || true
        done
        pids=
}

make_place() {
        if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ] &&
                [ "$(df -Pk /dev/shm | awk 'NR == 2 { print $4 }')" -ge $room ]; then
                export TMPDIR=/dev/shm
        fi
        work=$(mktemp -d)
        trap end EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM
}

say() {
        printf '\n== %s\n' "$*"
}

# fail LOG MESSAGE: with what the log says last.
fail() {
        tail -n 20 "$1" >&2
        echo "$name: $2" >&2
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

# start_daemon POLICY: its clock stands at the first event of the script. Whoever is not root needs a
# role.
start_daemon() {
        first=$(head -n 1 "$work/script" | cut -f 1)
        cp "$1" "$work/policy.yaml"
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

play_script() {
        "$build/tests/replay" "$work/script" "$work/result" || fail "$work/log" "the replay failed"
}
