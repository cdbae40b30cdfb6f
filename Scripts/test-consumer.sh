#!/usr/bin/env bash
# Builds Tests/Consumer, a package of its own that depends on the library, and lets it train an editor and edit a fact. usage: test-consumer.sh
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.bash
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
cd "$root"

scratch=.build/consumer
swift build -c release --package-path Tests/Consumer --scratch-path "$scratch" >&2
runs=$(mktemp -d)
trap 'rm -rf "$runs"' EXIT
"$scratch/release/Consumer" "$runs"
