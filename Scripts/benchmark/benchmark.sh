#!/usr/bin/env bash
# Times training and evaluation, in one process with all threads and on two ranks, and prints seconds per edit, memory, start-up, where
# the time of training goes, and the share of the machine's matrix rate that the arithmetic needed reaches, with sgemm timed between the
# batches; then the kernels alone, and writing and reading a checkpoint (amend-benchmark), unless --no-kernels. Takes a minute and as long
# as five such runs; leaves nothing behind. For figures that mean something the machine should be idle.
# --compare FILE holds this run against one that --json has printed before, on whatever machine, by what each reached of its machine's
# own rates, and fails where something fell by more than --tolerance PERCENT (25). results/ keeps such runs.
# --peer N then races amend against the same method in plain PyTorch (peer.py), N times in turn, on as many threads, and prints
# peer / amend: in float32 and, where the processor has instructions for it, in bfloat16 (amend with run.compute=bf16; on a processor with matrix
# tiles with bf16-tiles, and then again without tiles on either side). It keeps PyTorch in
# .build/peer: pip's wheel, so PIP_EXTRA_INDEX_URL may name an index of smaller ones without CUDA. Takes much longer than the rest.
# usage: benchmark.sh [--json] [--no-kernels] [--compare FILE [--tolerance PERCENT]] [--peer N] [CONFIG] [key.path=value …]
#            CONFIG is Configs/emsedit.yaml if not given
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../common.bash
source "$(dirname "${BASH_SOURCE[0]}")/../common.bash"

form=table
rounds=0
kernels=yes
stored=
tolerance=25
while [[ ${1:-} = --* ]]; do
    case $1 in
        --json) form=json ;;
        --no-kernels) kernels=no ;;
        --compare)
            stored=$(realpath -e -- "${2:-}" 2>/dev/null) || die "--compare is '${2:-}'; expected a file that --json has printed"
            shift
            ;;
        --tolerance)
            [[ ${2:-} =~ ^[0-9]+(\.[0-9]+)?$ ]] || die "--tolerance is '${2:-}'; expected percent"
            tolerance=$2
            shift
            ;;
        --peer)
            [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "--peer is '${2:-}'; expected how many times to race, 1 or more"
            rounds=$2
            shift
            ;;
        *) die "there is no option $1; expected --json, --no-kernels, --compare FILE, --tolerance PERCENT or --peer N" ;;
    esac
    shift
done
config=$root/Configs/emsedit.yaml
if [ $# -gt 0 ] && [[ $1 != *=* ]]; then
    config=$(realpath -e -- "$1" 2>/dev/null) || die "there is no configuration $1"
    shift
fi
cd "$root"
overrides=("$@")
if [ -n "$stored" ]; then
    python3 Scripts/benchmark/report.py check "$stored" --configuration "${config#"$root"/}" --settings "${overrides[@]}"
fi

build_amend
if [ "$kernels" = yes ]; then
    swift build -c release --product amend-benchmark >&2 || die "amend-benchmark does not build; see the messages above"
fi
if grep -q 'models/smollm2-135m' "$config"; then Scripts/fetch-model.sh smollm2-135m; fi
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

settings=() # beside those of the command line
flags=()
# measure RUN COMMAND [LAUNCHER …]
measure() {
    local name=$1 command=$2 status=0
    shift 2
    say "$command, $name"
    "$@" "$amend" "$command" "$config" --json "${flags[@]}" "${overrides[@]}" "${settings[@]}" evaluation.single_edits=0 evaluation.in_context=false "checkpoint.directory=$results/$name" \
        >"$results/$name-$command.json" 2>"$results/log" || status=$?
    [ "$status" = 0 ] || { cat "$results/log" >&2; die "amend $command, $name: status $status; its messages are above"; }
}

# The same, with the machine's matrix rate just before and after: it moves with what else the machine does.
measure_beside_machine() {
    "$amend" doctor --json >"$results/$1-$2-before.json"
    measure "$@"
    "$amend" doctor --json >"$results/$1-$2-after.json"
}

peer_python=$root/.build/peer/bin/python

install_peer() {
    say "PyTorch, in .build/peer"
    [ -x "$peer_python" ] || python3 -m venv .build/peer || die "python3 -m venv failed; on Debian it needs the package python3-venv"
    "$peer_python" -m pip install --quiet torch==2.13.0 transformers==5.23.0 gguf==0.19.0 accelerate==1.15.0 pyyaml==6.0.3 numpy==2.4.6 >&2 \
        || die "pip could not install PyTorch; see the messages above"
}

# measure_peer RUN DTYPE COMMAND [LAUNCHER …]
measure_peer() {
    local name=$1 dtype=$2 command=$3
    shift 3
    say "$command, $name"
    "$@" "$peer_python" Scripts/benchmark/peer.py "$command" "$config" --editor "$results/$name.pt" --dtype "$dtype" --threads "$threads" \
        "${overrides[@]}" >"$results/$name-$command.json" 2>"$results/log" \
        || { cat "$results/log" >&2; die "PyTorch, $command, $name: its messages are above"; }
}

"$amend" doctor --json >"$results/doctor.json"
found() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$results/doctor.json" "$1"; }
threads=$(found threads)

# What races, and with which settings of amend, type of PyTorch's and environment of both.
races=(f32)
declare -A compute=([f32]=f32 [bf16]=bf16 [bf16-without-tiles]=bf16) without=([bf16-without-tiles]="ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16 AMEND_KERNELS=avx512bf16")
if [ "$rounds" -gt 0 ]; then
    install_peer
    # Elsewhere PyTorch has to emulate bfloat16, which says nothing of what it can do.
    if grep -qwE 'avx512_bf16|amx_bf16|bf16' /proc/cpuinfo; then races+=(bf16); else say "no bfloat16 instructions here: float32 only"; fi
    if [ "$(found kernels)" = avx512amx ]; then
        races+=(bf16-without-tiles)
        compute[bf16]=bf16-tiles
    fi
fi
for command in train evaluate; do measure_beside_machine alone "$command"; done
flags=(--time-sgemm)
measure alternated train
flags=()
for command in train evaluate; do measure_beside_machine ranks "$command" with_ranks 2; done
if [ "$kernels" = yes ]; then
    say "kernels"
    .build/release/amend-benchmark --json --threads "$threads" >"$results/kernels.json" || die "amend-benchmark failed; see the messages above"
fi
for ((round = 1; round <= rounds; round++)); do
    for race in "${races[@]}"; do
        settings=("run.compute=${compute[$race]}")
        read -ra environment <<<"env ${without[$race]:-}"
        for command in train evaluate; do measure "amend-$race-$round" "$command" "${environment[@]}"; done
        for command in train evaluate; do measure_peer "$race-$round" "${race%-without-tiles}" "$command" "${environment[@]}"; done
    done
done

python3 Scripts/benchmark/report.py assemble "$results" --rounds "$rounds" --dtypes "$(IFS=,; echo "${races[*]}")" \
    --configuration "${config#"$root"/}" --settings "${overrides[@]}" >"$results/report.json"
if [ "$form" = json ]; then cat "$results/report.json"; else python3 Scripts/benchmark/report.py table "$results/report.json"; fi
if [ -n "$stored" ]; then
    if [ "$form" = json ]; then exec >&2; fi  # the object stays alone on standard output
    python3 Scripts/benchmark/report.py compare "$stored" "$results/report.json" --tolerance "$tolerance"
fi
