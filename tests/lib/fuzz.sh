#!/usr/bin/env bash
# fuzz.sh SECONDS BUILD TARGET…: runs each libFuzzer binary BUILD/TARGET for a while, starting from its corpus; a crash is kept under build/ and fails.
# FUZZ_SEED=N makes a run repeatable (CI: the same tree gives the same inputs); without it every run tries others.
set -u
seconds=$1 build=$2
shift 2
passed=0 failed=0
for t in "$@"; do
    mkdir -p "$build/corpus/$t"
    if "$build/$t" -max_total_time="$seconds" -max_len=4096 -seed="${FUZZ_SEED:-0}" -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$build/crash-$t-" \
        -print_final_stats=1 "$build/corpus/$t" "fixtures/corpus/$t" >"$build/$t.log" 2>&1; then
        passed=$((passed + 1))
        printf '%-14s %s runs\n' "$t" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$t.log")"
    else
        failed=$((failed + 1))
        echo "$t FAILED"
        tail -n 30 "$build/$t.log"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
