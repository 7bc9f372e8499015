#!/usr/bin/env bash
# Builds sdist and wheel as a stranger would, installs them outside the checkout with a compiler and
# without one, and runs tools/smoke_package.py in each. Usage: check_packages.sh [PYTHON], a Python
# that has the dependencies (they are not installed again).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
python=${1:-$root/.venv/bin/python}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

dependencies=$("$python" -c 'import sys; print(*(p for p in sys.path if "site-packages" in p), sep="\n")')

# pip_of FOLDER ARGUMENT...: pip of a fresh environment that knows nothing of the checkout.
pip_of() {
    "$work/$1/bin/python" -m pip --disable-pip-version-check --quiet "${@:2}"
}

# timed_wheel NAME SOURCE: the wheel in a folder of that name, and how long it took: less than 60 s
# on a quiet machine, which is printed and not held against a busy one.
timed_wheel() {
    local started=$SECONDS
    (cd "$work" && pip_of build wheel --no-deps --wheel-dir "$work/$1" "$2")
    local built=("$work/$1"/*.whl)
    echo "$1: ${built[0]##*/}, $((SECONDS - started)) s with its build environment"
}

# smoke NAME WHEEL KERNEL: install into a new environment and run the smoke test from elsewhere.
smoke() {
    "$python" -m venv "$work/$1"
    pip_of "$1" install --no-deps "$2"
    # Behind the environment's own packages: it is the wheel that is imported. The .pth files of
    # these folders, so that of an editable install too, are not read.
    local own
    own=$("$work/$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    echo "$dependencies" >"$own/dependencies.pth"
    (cd "$work" && env -u PYTHONPATH "$work/$1/bin/python" "$work/smoke_package.py" "$3" "$work/$1")
}

cp "$root/tools/smoke_package.py" "$work/"
"$python" -m venv "$work/build"
pip_of build install build
(cd "$work" && "$work/build/bin/python" -m build --sdist --outdir "$work/sdist" "$root" >/dev/null)
built=("$work"/sdist/*.tar.gz)
sdist=${built[0]}
echo "sdist: ${sdist##*/}"
if tar -tzf "$sdist" | grep -E '\.so$|/\.venv/|/build/|/rolls/'; then
    echo "error: sdist must hold sources only, got the files above" >&2
    exit 1
fi

timed_wheel from-checkout "$root"
timed_wheel from-sdist "$sdist"
smoke compiled "$work"/from-checkout/*.whl native
smoke compiled-from-sdist "$work"/from-sdist/*.whl native

# A machine without a compiler: none on the path, and one named that does nothing.
mkdir "$work/bin"
for tool in bash sh env cat uname tar gzip git; do
    found=$(command -v "$tool") && cp -s "$found" "$work/bin/$tool"
done
CC=/bin/false CXX=/bin/false PATH="$work/bin" timed_wheel without-compiler "$sdist"
smoke reference "$work"/without-compiler/*.whl reference
echo "packages install and score, with a compiler and without"
