#!/bin/sh
# test.sh MAKE: the unit tests, the fuzz corpora, then the end-to-end tests; last, the totals as one line. Ends non-zero on any failure.
set -u
make=${1:-make}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
fail=0

# Runs a target, showing its output as it comes; its status is the target's, not tee's.
run() {
    { "$make" --no-print-directory "$1" 2>&1; echo $? >"$log.rc"; } | tee -a "$log"
    rc=$(cat "$log.rc")
    rm -f "$log.rc"
    [ "$rc" = 0 ] || fail=1
}

run unit
run corpus
run e2e
# Check prints "100%: Checks: N, Failures: F, Errors: E" for each program, the end-to-end runner "N passed, N failed".
awk -v fail="$fail" '
    match($0, /Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+/) {
        split(substr($0, RSTART, RLENGTH), n, /[^0-9]+/)
        bad += n[3] + n[4]
        good += n[2] - n[3] - n[4]
    }
    /^[0-9]+ passed, [0-9]+ failed$/ { good += $1; bad += $3 }
    END {
        # A target that failed without a failing test (it did not build, a program crashed) counts as one.
        if (fail && !bad)
            bad = 1
        printf "%d passed, %d failed\n", good, bad
        exit (bad || fail) ? 1 : 0
    }' "$log"
