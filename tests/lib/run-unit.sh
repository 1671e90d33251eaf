#!/usr/bin/env bash
# run-unit.sh [--valgrind] BINARY…: runs the unit test programs two at a time; prints a line for each, and the output of those that failed.
set -u
export CK_DEFAULT_TIMEOUT=${CK_DEFAULT_TIMEOUT:-120} # of one test, in seconds: sanitizers and busy machines are slow
export UNDER=
if [ "${1:-}" = --valgrind ]; then
    UNDER="env LD_PRELOAD=$QUICKKEYS/quickkeys.so valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite"
    CK_DEFAULT_TIMEOUT=1200
    shift
fi
one() {
    local out
    if out=$($UNDER "$1" 2>&1); then
        printf '%s: %s\n' "${1##*/}" "$(grep -a 'Checks:' <<<"$out" | tail -n 1)"
    else
        printf 'FAILED %s\n%s\n' "$1" "$out"
        return 1
    fi
}
export -f one
printf '%s\0' "$@" | xargs -0 -P 2 -I{} bash -c 'one {}' || exit 1
