#!/usr/bin/env bash
# Times training and evaluation, in one process with all threads and on two ranks, and prints seconds per edit, memory, and
# the share of the machine's matrix rate that the arithmetic needed reaches. Takes as long as four such runs; leaves
# nothing behind. For figures that mean something the machine should be idle.
# usage: benchmark.sh [--json] [CONFIG] [key.path=value …]      CONFIG is Configs/quickstart.yaml if not given
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.bash
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"

form=table
if [ "${1:-}" = --json ]; then
    form=json
    shift
fi
config=$root/Configs/quickstart.yaml
if [ $# -gt 0 ] && [[ $1 != *=* ]]; then
    config=$(realpath -e -- "$1" 2>/dev/null) || die "there is no configuration $1"
    shift
fi
cd "$root"
overrides=("$@")

build_amend
if grep -q 'models/smollm2-135m' "$config"; then Scripts/fetch-model.sh smollm2-135m; fi
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

# measure RUN COMMAND [LAUNCHER …]
measure() {
    local name=$1 command=$2 status=0
    shift 2
    say "$command, $name"
    "$@" "$amend" "$command" "$config" --json "${overrides[@]}" "checkpoint.directory=$results/$name" \
        >"$results/$name-$command.json" 2>"$results/log" || status=$?
    [ "$status" = 0 ] || { cat "$results/log" >&2; die "amend $command, $name: status $status; its messages are above"; }
}

"$amend" doctor --json >"$results/doctor.json"
measure alone train
measure alone evaluate
measure ranks train with_ranks 2
measure ranks evaluate with_ranks 2

python3 - "$results" "$form" <<'PYTHON'
import json, os, sys

folder, form = sys.argv[1:]
def read(name): return json.load(open(os.path.join(folder, name)))

machine = read("doctor.json")
runs, digests = [], {}
for name in ("alone", "ranks"):
    for command in ("train", "evaluate"):
        result = read(f"{name}-{command}.json")
        run = {"command": command, "ranks": result["ranks"], "seconds": result["seconds"],
               "secondsPerEdit": result["secondsPerEdit"], "residentBytes": result["residentBytes"]}
        if command == "evaluate":  # what other tools call editing and scoring leaves out the unedited model
            run["editAndScoreSecondsPerEdit"] = (result["editingSeconds"] + result["scoringAfterSeconds"]) / result["edits"]
        if result.get("operations"):
            run["gflops"] = result["operations"] / result["seconds"] / 1e9
            run["shareOfSgemm"] = run["gflops"] / machine["sgemmGflops"]
        runs.append(run)
        if "digest" in result: digests[name] = result["digest"]

report = {"core": machine["core"], "threads": machine["threads"], "sgemmGflops": machine["sgemmGflops"],
          "digestsEqual": digests.get("alone") == digests.get("ranks"), "runs": runs, "problems": machine["problems"]}
if form == "json":
    print(json.dumps(report))
    sys.exit()

print(f"sgemm: {machine['sgemmGflops']:.1f} GFLOP/s on {machine['threads']} threads, {machine['core']} kernels\n")
print(f"{'':10}{'ranks':>6}{'seconds':>10}{'s/edit':>9}{'MB/process':>12}{'GFLOP/s':>9}{'of sgemm':>10}")
for run in runs:
    rate = f"{run['gflops']:9.1f}{run['shareOfSgemm']:10.0%}" if "gflops" in run else f"{'-':>9}{'-':>10}"
    print(f"{run['command']:10}{run['ranks']:6}{run['seconds']:10.2f}{run['secondsPerEdit']:9.4f}"
          f"{run['residentBytes'] / 1e6:12.0f}{rate}")
for run in runs:
    if "editAndScoreSecondsPerEdit" in run:
        print(f"evaluate on {run['ranks']} rank{'s' if run['ranks'] > 1 else ''}: {run['editAndScoreSecondsPerEdit']:.4f} s per edit to edit and score "
              f"the edited model, the rest for the unedited one")
print("\nBoth runs trained the same bits." if report["digestsEqual"] else "\nThe two runs trained DIFFERENT bits.")
for problem in machine["problems"]: print(f"doctor: {problem}")
PYTHON
