#!/bin/sh
# Makes the virtual environments of the checkout from their locks, each only when its lock has changed:
#   .venv            development, tests, the `agentruns` command
#   .venvs/ministack the AWS emulator and what its Lambda workers import
#   .venvs/sam       aws-sam-cli
#   .venvs/microburst the proxy that `make chaos` puts in front of the AWS emulator
#   .venvs/leap      the vendor's published Leap clients, of Python and of node: only with --leap-clients (`make test`)
# Apart from each other because their pins exclude one another (see requirements/ministack.in).
# PYTHON=/path/to/python3.12 chooses the interpreter; else the newest supported one on PATH that runs.
set -eu
cd "$(dirname "$0")/.."

is_supported() {
    "$1" -c 'import sys, venv, ensurepip; raise SystemExit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

find_python() {
    for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3 python}; do
        if is_supported "$candidate"; then
            # the interpreter itself: a version manager's shim on PATH may choose another one tomorrow
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    {
        echo "agentruns needs Python 3.11, 3.12 or 3.13 with its venv module, and none of them runs here:"
        for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
            printf '  %-12s %s\n' "$candidate" "$("$candidate" --version 2>&1 | head -n 1 || true)"
        done
        echo "Install one (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python@3.13),"
        echo "or name yours: make bootstrap PYTHON=/path/to/python3.12"
    } >&2
    return 1
}

seconds() { date +%s; }

# Two makes at once take turns. A folder is the lock, since flock is not everywhere.
mkdir -p .venvs
turn=.venvs/.turn
until mkdir "$turn" 2>/dev/null; do
    holder=$(cat "$turn/pid" 2>/dev/null || true)
    if [ -n "$holder" ] && ! kill -0 "$holder" 2>/dev/null; then
        rm -rf "$turn" # its holder was killed
    else
        sleep 0.2
    fi
done
echo $$ > "$turn/pid"
trap 'rm -rf "$turn"' EXIT
trap 'exit 130' INT TERM

# make_environment DIRECTORY LOCK STAMP-TEXT
make_environment() {
    directory=$1 lock=$2 stamp=$3
    if [ "$(cat "$directory/.stamp" 2>/dev/null)" = "$stamp" ] && "$directory/bin/python" -c '' 2>/dev/null; then
        return
    fi
    began=$(seconds)
    # with the same interpreter only what changed is exchanged, under the feet of whoever uses it
    case $(cat "$directory/.stamp" 2>/dev/null) in
        "$python "*) "$directory/bin/python" -c '' 2>/dev/null || rm -f "$directory/.stamp" ;;
        *) rm -f "$directory/.stamp" ;;
    esac
    [ -f "$directory/.stamp" ] || .venvs/tools/bin/uv venv --quiet --clear --python "$python" "$directory"
    rm -f "$directory/.stamp"
    .venvs/tools/bin/uv pip sync --quiet --python "$directory/bin/python" --require-hashes "$lock"
    if [ "$directory" = .venv ]; then
        .venvs/tools/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
    fi
    printf '%s' "$stamp" > "$directory/.stamp"
    echo "bootstrap: $directory from $lock ($(($(seconds) - began)) s)"
}

# The client of node, by the node and npm that .venvs/leap holds: none on PATH is needed or used.
make_leap_node_client() {
    directory=.venvs/leap/node_client stamp=$(digest requirements/leap.txt requirements/leap_clients/package-lock.json)
    if [ "$(cat "$directory/.stamp" 2>/dev/null)" = "$stamp" ]; then
        return
    fi
    began=$(seconds)
    rm -rf "$directory"
    mkdir -p "$directory"
    cp requirements/leap_clients/package.json requirements/leap_clients/package-lock.json "$directory"
    (
        PATH=$PWD/.venvs/leap/bin:$PATH
        cd "$directory"
        npm ci --ignore-scripts --no-audit --no-fund --loglevel=error > /dev/null
    )
    printf '%s' "$stamp" > "$directory/.stamp"
    echo "bootstrap: $directory from requirements/leap_clients/package-lock.json ($(($(seconds) - began)) s)"
}

digest() { cat "$@" | cksum | tr -d ' '; }

if ! [ -x .venvs/python ] || [ -n "${PYTHON:-}" ] || ! is_supported .venvs/python; then
    python=$(find_python)
    mkdir -p .venvs
    ln -sf "$python" .venvs/python
else
    python=$(readlink .venvs/python)
fi

tools_stamp="$python $(digest requirements/uv.txt)"
if [ "$(cat .venvs/tools/.stamp 2>/dev/null)" != "$tools_stamp" ]; then
    began=$(seconds)
    echo "bootstrap: $("$python" --version) at $python"
    rm -rf .venvs/tools
    "$python" -m venv .venvs/tools
    .venvs/tools/bin/python -m pip install -qq --disable-pip-version-check --require-hashes --requirement requirements/uv.txt
    printf '%s' "$tools_stamp" > .venvs/tools/.stamp
    echo "bootstrap: .venvs/tools from requirements/uv.txt ($(($(seconds) - began)) s)"
fi

export UV_COMPILE_BYTECODE=1 UV_NO_PROGRESS=1 UV_PYTHON_DOWNLOADS=never
# of pyproject.toml only what an install reads, so that a changed lint rule rebuilds nothing
project=$(sed '/^\[tool.ruff\]/,$d' pyproject.toml | cksum | tr -d ' ')
make_environment .venv requirements/dev.txt "$python $(digest requirements/dev.txt) $project"
make_environment .venvs/ministack requirements/ministack.txt "$python $(digest requirements/ministack.txt)"
make_environment .venvs/sam requirements/sam.txt "$python $(digest requirements/sam.txt)"
make_environment .venvs/microburst requirements/microburst.txt "$python $(digest requirements/microburst.txt)"
if [ "${1:-}" = --leap-clients ]; then
    make_environment .venvs/leap requirements/leap.txt "$python $(digest requirements/leap.txt)"
    make_leap_node_client
fi
