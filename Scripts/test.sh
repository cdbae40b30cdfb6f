#!/usr/bin/env bash
# Checks the sources (lint.sh), runs every test, those under mpirun and those on the real model too, builds the library's documentation and
# the package that uses the library, and runs the gate on instruction counts. With options, which select tests, only these tests.
# usage: test.sh [option of swift test …]
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.bash
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
cd "$root"

Scripts/install-dependencies.sh
Scripts/lint.sh
Scripts/fetch-model.sh smollm2-135m
Scripts/fetch-model.sh gemma-3-270m
use_mpi

Scripts/test-kernels.sh
# In release, as amend is used: the numerics are the same, and the tests on the model take minutes instead of hours.
# What a target imports and does not declare is an error: such a build may succeed or not, by the order in which targets are built.
swift build -c release --build-tests --explicit-target-dependency-import-check error
swift test -c release --skip-build --disable-xctest "$@"
if [ $# -eq 0 ]; then
    Scripts/documentation.sh
    Scripts/test-consumer.sh
    Scripts/instruction-gate.sh
fi
