#!/bin/sh
# Every header compiles alone.
set -eu
cd "$(dirname "$0")/../.."
status=0
for header in include/aftersales/*.h daemon/*.h daemon/*/*.h ctl/*.h; do
        flags="-Iinclude -Idaemon"
        case $header in ctl/*) flags="-Iinclude -Ictl $(pkg-config --cflags smartcols json-c)" ;; esac
        # shellcheck disable=SC2086
        echo "#include \"$PWD/$header\"" |
                ${CC:-gcc} -std=gnu17 -D_GNU_SOURCE $flags -Wall -Wextra -Werror -fsyntax-only -x c - || {
                echo "$header does not compile alone" >&2
                status=1
        }
done
exit $status
