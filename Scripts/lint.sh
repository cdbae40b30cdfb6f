#!/usr/bin/env bash
# Holds shell scripts (shellcheck), Python (ruff; ruff.toml), Swift's layout (.swift-format), and what Package.swift declares against what is there;
# changes nothing. Keeps ruff in .build/ruff. usage: lint.sh
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.bash
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
cd "$root"

ruff_version=0.17.6
ruff=.build/ruff/bin/ruff

command -v shellcheck >/dev/null || die "there is no shellcheck; Scripts/install-dependencies.sh installs it"
shellcheck Scripts/*.sh Scripts/*.bash Scripts/benchmark/*.sh cluster/*.sh cluster/*.sbatch .ci/run

if [ "$("$ruff" --version 2>/dev/null)" != "ruff $ruff_version" ]; then
    say "ruff $ruff_version, in .build/ruff"
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --upgrade --target .build/ruff "ruff==$ruff_version" >&2 ||
        die "pip could not install ruff; see the messages above"
fi
"$ruff" check --quiet Scripts Tests

swift package describe --type json | python3 Scripts/check-dependencies.py
swift format lint --strict --recursive --parallel Sources Tests Scripts Package.swift
say "scripts, Python, layout and dependencies are clean"
