#!/bin/sh
# Installs the Debian packages named as arguments that are missing; without root says which they are.
set -eu
missing=
for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
                missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" -ne 0 ]; then
        echo "These packages are missing; install them as root, then run make again:" >&2
        echo "  apt-get install$missing" >&2
        exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
# Old lists may name versions that are gone; only then, or without any, they are fetched.
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 || {
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends $missing >/dev/null
}
