#!/usr/bin/env bash
# layers.sh: each folder includes only what its layer may, and each third-party header has one owner.
# A row: files (pathspec), then the prefixes of project headers that they may include.
set -u
cd "$(dirname "$0")/../.." || exit 2
fail=0
while read -r files allowed; do
    [ -z "$files" ] && continue
    for f in $(git ls-files -co --exclude-standard -- "$files/*.c" "$files/*.h" | grep -E "^$files/[^/]+$"); do
        grep -nE '^#include "' "$f" | sed -E 's/^([0-9]+):#include "([^"]+)".*/\1 \2/' | while read -r line header; do
            ok=
            for a in $allowed; do case $header in "$a"*) ok=1 ;; esac; done
            [ -n "$ok" ] || echo "$f:$line: $header is not for this layer"
        done
    done
done > build/lint-layers.txt <<'TABLE'
server/base    server/base/
crypto         server/base/ crypto/
storage        server/base/ storage/
server/engine  server/base/ crypto/ storage/ server/engine/
api            server/base/ server/engine/ api/ crypto/pkey.h crypto/rng.h storage/st_activity.h storage/st_event.h storage/store.h
api/template   server/base/ api/json.h api/template/ crypto/digest.h
server         server/base/ server/engine/engine.h api/ server/ crypto/cert.h crypto/cmem.h crypto/rng.h
TABLE
[ -s build/lint-layers.txt ] && { cat build/lint-layers.txt; fail=1; }

# Third-party headers: pattern, owner.
while read -r pattern owner; do
    [ -z "$pattern" ] && continue
    git grep -nE --untracked "#include <$pattern" -- '*.c' '*.h' | grep -vE "^($owner|tests/)" && { echo "^ only $owner may include $pattern"; fail=1; }
done <<'TABLE'
sqlite3\.h       storage/
openssl/         crypto/
cjson/|cJSON\.h  api/json\.c
microhttpd\.h    server/httpd\.c
gnutls/          server/httpd_join\.c
TABLE

# Project headers above their layer's head: api must not see a store's insides.
git grep -nE --untracked '#include "(storage/tx|crypto/cmem_priv)\.h"' -- 'server/*' 'api/*' && { echo "^ private header"; fail=1; }
exit $fail
