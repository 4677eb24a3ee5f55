#!/bin/sh
# Renews every lock from its .in file: `sh requirements/compile.sh [--upgrade]`. One lock serves Python 3.11-3.13 on any
# platform (--universal); the layers come first, since their pins constrain the development environment.
set -eu
cd "$(dirname "$0")"
uv=${UV:-../.venvs/tools/bin/uv}
for name in ../layers/dependencies/requirements ../layers/api_dependencies/requirements uv dev ministack sam microburst; do
    "$uv" pip compile --quiet "$@" --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
        "$name.in" --output-file "$name.txt"
    echo "$name.txt: $(grep -c '==' "$name.txt") packages"
done
