#!/bin/sh
# Includes point only downwards: a file may include from its own folder and from those after it in this list.
# "tickets" and "dealers" are business areas beside each other, as others to come.
set -eu
cd "$(dirname "$0")/../.."
layers="bus runtime tickets parts dealers masters transfer loop store record config base"

status=0
for layer in $layers; do
        above=
        for other in $layers; do
                [ "$other" = "$layer" ] && break
                above="$above${above:+|}$other"
        done
        # From any layer: nothing of the program's top (app.h) either.
        pattern="#include \"(${above:+($above)/|}app\\.h)"
        if grep -nE "$pattern" daemon/"$layer"/*.[ch]; then
                echo "daemon/$layer may not include from above it" >&2
                status=1
        fi
done
for folder in daemon/*/; do
        case " $layers " in
        *" $(basename "$folder") "*) ;;
        *) echo "$folder is not in the list of layers in $0" >&2; status=1 ;;
        esac
done
# Each library has its one place.
if grep -lE '#include <lmdb\.h>' -r daemon | grep -v '^daemon/store/'; then
        echo "only daemon/store may know LMDB" >&2; status=1
fi
if grep -lE '#include <systemd/sd-bus' -r daemon | grep -v '^daemon/bus/'; then
        echo "only daemon/bus may know sd-bus" >&2; status=1
fi
if grep -nE '#include "(base|config|record|store|loop|masters|dealers|tickets|runtime|bus)/' -r ctl; then
        echo "the client may not include from the daemon" >&2; status=1
fi
exit $status
