#!/bin/sh
# install.sh [FOLDER]: puts the clients into FOLDER (build/clients), at exactly the versions that stand beside this file. What
# is there in these versions stays.
set -eu
here=$(dirname "$0")
to=${1:-build/clients}
mkdir -p "$to"

# fresh NAME LIST: is NAME not there as LIST says?
fresh() {
    ! cmp -s "$here/$2" "$to/$1/.installed"
}

venv() { # NAME LIST
    fresh "$1" "$2" || return 0
    echo "clients: installing $2" >&2
    rm -rf "${to:?}/$1"
    python3 -m venv "$to/$1"
    # The list is complete: nothing is left to resolve. az would spend longer on compiling than the suites on running.
    "$to/$1/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-compile -r "$here/$2"
    cp "$here/$2" "$to/$1/.installed"
}

packages() { # NAME LIST
    fresh "$1" "$2" || return 0
    echo "clients: installing $2" >&2
    rm -rf "${to:?}/$1"
    mkdir -p "$to/$1"
    cp "$here/package.json" "$here/package-lock.json" "$to/$1"
    # Node itself is among them: Debian's is older than the SDK allows.
    npm ci --prefix "$to/$1" --silent --no-audit --no-fund
    cp "$here/$2" "$to/$1/.installed"
}

venv az requirements-az.txt &
az=$!
venv venv requirements.txt
packages node package-lock.json
wait "$az"
