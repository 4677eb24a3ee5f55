#!/bin/sh
# Renews every lock from its .in file: `sh requirements/compile.sh [--upgrade]`. One lock serves Python 3.11-3.13 on any
# platform (--universal); the layers come first, since their pins constrain the development environment.
set -eu
cd "$(dirname "$0")"
uv=${UV:-../.venvs/tools/bin/uv}
for name in ../layers/dependencies/requirements ../layers/api_dependencies/requirements uv dev ministack sam microburst leap; do
    "$uv" pip compile --quiet "$@" --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
        "$name.in" --output-file "$name.txt"
    echo "$name.txt: $(grep -c '==' "$name.txt") packages"
done
# The one lock of another kind: npm's, by the node of .venvs/leap (`sh local/bootstrap.sh --leap-clients` makes it).
if [ -x ../.venvs/leap/bin/npm ]; then
    (
        PATH=$PWD/../.venvs/leap/bin:$PATH
        cd leap_clients
        npm install --package-lock-only --ignore-scripts --no-audit --no-fund --loglevel=error > /dev/null
        echo "leap_clients/package-lock.json: $(grep -c '"integrity"' package-lock.json) packages"
    )
fi
