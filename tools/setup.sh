#!/usr/bin/env bash
# Installs what the build needs and is missing: Debian packages of apt.txt, and a Python venv in .venv with
# requirements.txt. Prints nothing and takes under a second when nothing is missing. The first argument is the
# preset: cuda must find nvcc, tidy also wants clang-tidy, fuzz clang, aarch64 a cross compiler and qemu.
set -euo pipefail
cd "$(dirname "$0")/.."

preset=${1:-cpu}
if [ "$preset" = cuda ] && ! command -v nvcc >/dev/null; then
  echo "error: [setup] nvcc: expected on the path for PRESET=cuda, not found; install the CUDA toolkit 13" >&2
  exit 3
fi

packages=$(grep -v '^#' apt.txt)
case "$preset" in
  tidy) packages="$packages clang-tidy" ;;
  fuzz) packages="$packages clang libclang-rt-dev" ;;
  aarch64) packages="$packages g++-aarch64-linux-gnu googletest qemu-user" ;;
esac
missing=()
if command -v dpkg-query >/dev/null; then
  for package in $packages; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
fi
if [ ${#missing[@]} -gt 0 ]; then
  echo "setup: installing Debian packages: ${missing[*]}"
  as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "error: [setup] sudo: not found; as root run: apt-get install ${missing[*]}" >&2; exit 3; }
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
elif ! command -v dpkg-query >/dev/null; then
  echo "setup: no apt here; these must be installed by hand: $(echo $packages)" >&2
fi

# The stamp holds the requirements that .venv was made from.
if ! cmp -s requirements.txt .venv/requirements.installed; then
  echo "setup: installing Python packages into .venv"
  [ -x .venv/bin/python ] || python3 -m venv .venv
  # uv takes 20 s where pip takes minutes; where it cannot be had, pip does.
  if .venv/bin/python -m pip install -q --disable-pip-version-check uv; then
    .venv/bin/python -m uv pip install -q --python .venv/bin/python -r requirements.txt
  else
    .venv/bin/python -m pip install -q --disable-pip-version-check -r requirements.txt
  fi
  cp requirements.txt .venv/requirements.installed
fi
