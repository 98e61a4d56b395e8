#!/bin/sh
# Installs the Debian packages that a build needs and this machine lacks.
set -eu

missing=""
lacks() {
    missing="$missing $1"
}

command -v cmake >/dev/null || lacks cmake
command -v c++ >/dev/null || lacks g++
command -v go >/dev/null || lacks golang-go
command -v clang >/dev/null || lacks clang
command -v ip >/dev/null || [ -x /usr/sbin/ip ] || lacks iproute2
command -v unshare >/dev/null || lacks util-linux
# Machines call the bootstrap webhook with these, and so do its tests.
command -v curl >/dev/null || lacks curl
command -v openssl >/dev/null || lacks openssl
# Without dpkg there is no telling; the build will say if the library is not there.
if command -v dpkg-query >/dev/null; then
    status=$(dpkg-query -W -f '${Status}' libclang-dev 2>/dev/null || true)
    if [ "$status" != "install ok installed" ] && [ -z "${LIBCLANG_PATH:-}" ]; then
        lacks libclang-dev
    fi
fi

if [ -z "$missing" ]; then
    echo "setup: nothing is missing"
    exit 0
fi

install="apt-get install -y --no-install-recommends$missing"
if ! command -v apt-get >/dev/null; then
    echo "setup: this machine has no apt-get; please install:$missing" >&2
    exit 1
fi
if [ "$(id -u)" -eq 0 ]; then
    as_root="env"
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "setup: please run as root:  apt-get update && $install" >&2
    exit 1
fi

echo "setup: installing$missing"
$as_root apt-get update -q
# shellcheck disable=SC2086 # words on purpose
$as_root env DEBIAN_FRONTEND=noninteractive $install
