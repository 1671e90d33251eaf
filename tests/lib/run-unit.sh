#!/bin/sh
# run-unit.sh BINARY...: runs each unit test program; prints the failing ones' output; ends non-zero if any failed.
set -u
fail=0
for t in "$@"; do
    if out=$("$t" 2>&1); then
        printf '%s\n' "$out" | tail -n 1 | sed "s|^|${t##*/}: |"
    else
        fail=1
        printf 'FAILED %s\n%s\n' "$t" "$out"
    fi
done
exit $fail
