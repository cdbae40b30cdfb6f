#!/usr/bin/env bash
# Measures how the cost and memory of training grow with edits per batch, length of a sequence, size of the model and ranks; fits exponents,
# and draws the pictures in results/. A measurement replaces the earlier one of its kind, so parts can be measured apart. Everything takes about two
# hours on two cores, more with --largest llama-3-8b, which writes 16 GB. For times that mean something the machine should be idle.
# usage: growth.sh [edits] [sequence] [size] [ranks] [--most-edits N] [--longest N] [--largest SHAPE] [--models DIRECTORY]
#        growth.sh draw      fits and draws again what is measured
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../common.bash
source "$(dirname "${BASH_SOURCE[0]}")/../common.bash"
cd "$root"

python=$root/.build/growth/bin/python
[ -x "$python" ] || python3 -m venv .build/growth || die "python3 -m venv failed; on Debian it needs the package python3-venv"
"$python" -m pip install --quiet numpy==2.4.6 matplotlib==3.10.7 >&2 || die "pip could not install matplotlib; see the messages above"
if [ "${1:-}" != draw ]; then
    build_amend
    Scripts/fetch-model.sh smollm2-135m
    use_mpi
fi
exec "$python" Scripts/benchmark/growth.py "$@"
