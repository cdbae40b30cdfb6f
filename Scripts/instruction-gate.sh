#!/usr/bin/env bash
# Counts the instructions that amend needs, under valgrind, and fails where they have grown: unlike seconds, counts are the same
# on a busy machine and on another processor. Counted are the kernels (amend-benchmark count) and training and evaluating the tiny
# model of the tests, on one thread, without start-up. valgrind shows every program a processor with AVX2 and no more, so those
# kernels run on every x86-64; elsewhere there is nothing to compare and the gate says so.
# The counts to keep are in Scripts/instruction-counts.json, with the compiler's version: see instruction-counts.py.
# usage: instruction-gate.sh [--update]      --update stores what is counted now
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.bash
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"

update=()
if [ "${1:-}" = --update ]; then
    update=(--update)
    shift
fi
[ $# -eq 0 ] || die "there is no option $1; expected --update"
if [ "$(uname -m)" != x86_64 ] || ! grep -qw avx2 /proc/cpuinfo; then
    say "instruction counts: skipped, they are stored for x86-64 with AVX2 and this is $(uname -m) without"
    exit 0
fi
for program in valgrind nm strip; do
    command -v "$program" >/dev/null || die "there is no $program; Scripts/install-dependencies.sh installs it"
done
cd "$root"
for product in amend amend-benchmark WriteTinyRun; do swift build -c release --product "$product" >&2 || die "$product does not build"; done

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
# valgrind 3.19 gives up on Swift's debug information.
for product in amend amend-benchmark; do strip --strip-debug -o "$results/$product" ".build/release/$product"; done

# Nothing may differ from run to run and from machine to machine: the seed of Swift's hashes; OpenBLAS's kernels and threads, for which amend
# would start itself again; how glibc copies memory (valgrind also runs `rep movsb` byte by byte).
most=0x7fffffffffffffff
fixed=(OPENBLAS_CORETYPE=Haswell OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 SWIFT_DETERMINISTIC_HASHING=1 LC_ALL=C
    "GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=$most:glibc.cpu.x86_rep_stosb_threshold=$most:glibc.cpu.x86_non_temporal_threshold=0xfffffffffffffff")

# The only function in PROGRAM whose mangled name matches.
function_named() {
    local function
    function=$(nm "$1" | awk '{ print $3 }' | grep -E "$2") || die "$1 has no function $2: was it renamed?"
    [ "$(wc -l <<<"$function")" = 1 ] || die "$1 has several functions $2: $function"
    echo "$function"
}

# count NAME PATTERN PROGRAM [ARGUMENT …]: the instructions within the function whose mangled name matches go to
# $results/NAME.counts.1, .2 … each time it returns; what the program prints to $results/NAME.out. Counted are the thread that is in the
# function and those that write checkpoints, whose work it shares: who does how much of it differs from run to run.
count() {
    local name=$1 pattern=$2 program=$results/$3 function saving
    shift 3
    function=$(function_named "$program" "$pattern") || exit 1
    local collected=(--toggle-collect="$function")
    if [ "$name" = train ]; then
        saving=$(function_named "$program" '^.s13Checkpointing14BackgroundSaveC3run[^U]*F$') || exit 1
        collected+=(--toggle-collect="?${saving#?}")  # of two names that begin alike, callgrind 3.19 forgets one
    fi
    env "${fixed[@]}" valgrind --tool=callgrind --callgrind-out-file="$results/$name.counts" \
        "${collected[@]}" --dump-after="$function" "$program" "$@" >"$results/$name.out" 2>"$results/$name.log" ||
        { cat "$results/$name.log" >&2; die "$name: it failed under valgrind; its messages are above"; }
}

.build/release/WriteTinyRun "$results/tiny"
count kernels '13countedRegion' amend-benchmark count &
kernels=$!
# The method itself (F), not closures in it.
count_training() { count train '^.s8Training.*3run13stopRequested[^U]*F$' amend train "$results/tiny/run.yaml" --json checkpoint.every=4; }
compare() {
    python3 Scripts/instruction-counts.py "$results" Scripts/instruction-counts.json "${update[@]}" \
        --swift "$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([^ ]*\).*/\1/p' | head -n 1)"
}

count_training
count evaluate '^.s10Evaluation.*3run8progress[^U]*F$' amend evaluate "$results/tiny/run.yaml" --json evaluation.drift_passages=1 evaluation.single_edits=0 evaluation.in_context=false
wait "$kernels" || die "the kernels could not be counted; see the messages above"
# A checkpoint costs 4 % more in the one of about seven runs whose main thread has to commit it, and in more where other
# programs take the processors.
for _ in 1 2 3 4; do
    if compare >/dev/null 2>&1; then break; fi
    rm -rf "$results/tiny/checkpoints" "$results"/train.counts.*
    count_training
done
compare
