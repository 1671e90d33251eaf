#!/bin/sh
# install.sh FOLDER NAME…: puts the clients of these names into FOLDER, at exactly the versions that the lists beside this file
# lock. What is there in these versions stays.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
to=$(cd "$1" && pwd)
shift

# fresh NAME LIST: is NAME not there as LIST says? Then its folder is made anew.
fresh() {
    cmp -s "$2" "$to/$1/.installed" && return 1
    echo "clients: installing $1" >&2
    rm -rf "${to:?}/$1"
    mkdir -p "$to/$1"
}

venv() { # NAME LIST
    fresh "$1" "$2" || return 0
    python3 -m venv "$to/$1"
    # The list is complete: nothing is left to resolve. az would spend longer on compiling than the suites on running.
    "$to/$1/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-compile -r "$2"
    cp "$2" "$to/$1/.installed"
}

packages() { # NAME FOLDER
    fresh "$1" "$2/package-lock.json" || return 0
    cp "$2/package.json" "$2/package-lock.json" "$to/$1"
    # Node itself is among them: Debian's is older than the SDKs allow.
    npm ci --prefix "$to/$1" --silent --no-audit --no-fund
    cp "$2/package-lock.json" "$to/$1/.installed"
}

# The SDK asks for a newer Go than Debian has: with such a one its suite runs, else it is told as skipped.
go_suite() {
    command -v go >/dev/null && go version | grep -qE 'go1\.(2[5-9]|[3-9][0-9])' || return 0
    cat "$here"/go/go.sum "$here"/go/*.go >"$to/go.list"
    fresh go "$to/go.list" || return 0
    # With cgo it asks the system for names, as other clients do: *.localhost is this machine there.
    (cd "$here/go" && CGO_ENABLED=1 GOFLAGS='-buildvcs=false -mod=readonly' go build -o "$to/go/suite" .)
    cp "$to/go.list" "$to/go/.installed"
}

for name; do
    case $name in
    az) venv az "$here/requirements-az.txt" ;;
    venv) venv venv "$here/requirements.txt" ;;
    node) packages node "$here" ;;
    oav) packages oav "$here/oav" ;;
    go) go_suite ;;
    *) echo "install.sh: no list for $name" >&2; exit 2 ;;
    esac &
    pids="${pids:-} $!"
done
for pid in $pids; do
    wait "$pid"
done
