#!/usr/bin/env bash
# bans.sh: patterns that do not belong in the sources: ban PATTERN ADVICE PATHSPEC…; a line that says "lint: ok" with a reason passes.
set -u
cd "$(dirname "$0")/../.." || exit 2
fail=0
ban() {
    local pattern=$1 advice=$2 hits
    shift 2
    hits=$(git grep -nIE --untracked "$pattern" -- "$@" ':!tests/lint' | grep -v 'lint: ok')
    [ -z "$hits" ] && return
    printf '%s\n^ %s\n' "$hits" "$advice"
    fail=1
}
product=('server/*.c' 'server/*.h' 'crypto/*.c' 'crypto/*.h' 'storage/*.c' 'storage/*.h' 'api/*.c' 'api/*.h')
ban '\b(TODO|FIXME|XXX|HACK)\b' 'finish it or leave it out' "${product[@]}" Makefile '*.sh' '*.py' 'tests/*.c'
ban '\bmemcmp\(' 'secrets: cmem_equal' 'crypto/*.c' 'server/engine/directory*.c' 'server/engine/jwt.c' 'server/engine/keyring.c' 'server/engine/ns_rules.c' 'server/engine/ns_sas.c' 'server/engine/poller*.c'
ban '\b(clock_gettime|gettimeofday|time\(NULL\))' 'time comes from base/clock' "${product[@]}" ':!server/base/clock.c' ':!crypto/cert.c'
ban '\bexit\(' 'only main ends the process' "${product[@]}" ':!server/main.c'
ban '\b(strtol|strtoul|strtoll|strtoull|strtod|atof)\(' 'text_to_i64, json_i64, json_double' "${product[@]}" ':!api/json.c' ':!server/base/text.c'
ban '\bRAND_(priv_)?bytes\(' 'rng_bytes' "${product[@]}" ':!crypto/rng.c'
long=$(git ls-files -co --exclude-standard -- "${product[@]}" | xargs wc -l | awk '$2 != "total" && $1 > 700 {print $2 " has " $1 " lines"}')
[ -n "$long" ] && { printf '%s\n^ split it by subject\n' "$long"; fail=1; }
exit $fail
