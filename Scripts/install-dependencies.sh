#!/usr/bin/env bash
# Installs the Debian packages that amend is built and run with, those that are missing; with sudo if not root.
# Swift itself is not among them.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.bash
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"

has_command() { command -v "$1" >/dev/null 2>&1; }
has_library() { pkg-config --exists "$1" >/dev/null 2>&1; }

missing_packages() {
    has_command pkg-config || echo pkg-config
    has_library ompi-c || echo libopenmpi-dev
    has_library openblas || echo libopenblas-dev
    has_library libzstd || echo libzstd-dev
    has_command mpirun || echo openmpi-bin
    has_command ssh || echo openssh-client # mpirun looks for it even on one machine
    has_command valgrind || echo valgrind # for instruction-gate.sh
    has_command nm || echo binutils
    has_command shellcheck || echo shellcheck # for lint.sh
    has_command python3 || echo python3
    python3 -m pip --version >/dev/null 2>&1 || echo python3-pip
}

install() {
    local as_root=()
    if [ "$(id -u)" != 0 ]; then
        has_command sudo || die "missing: $*. Neither root nor sudo; run as root: apt-get install $*"
        as_root=(sudo)
        [ -t 0 ] || as_root=(sudo -n)
    fi
    say "installing $*"
    "${as_root[@]}" apt-get update -qq >&2 || say "apt-get update failed; trying with the lists that are there"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2 ||
        die "could not install $*; as root: apt-get install $*"
}

check_swift() {
    has_command swift || die "there is no Swift; install 6.1 or later from https://swift.org/install"
    local version
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)
    [ "$(printf '6.1\n%s\n' "$version" | sort -V | head -n 1)" = 6.1 ] ||
        die "found Swift ${version:-of an unknown version}, 6.1 or later is needed: https://swift.org/install"
}

check_swift
mapfile -t packages < <(missing_packages)
if [ ${#packages[@]} -gt 0 ]; then
    has_command apt-get || die "missing, by Debian's names: ${packages[*]}. There is no apt-get; install them as this system does"
    install "${packages[@]}"
    mapfile -t packages < <(missing_packages)
    [ ${#packages[@]} -eq 0 ] || die "still missing after installation: ${packages[*]}"
fi
say "dependencies are installed"
