#!/usr/bin/env bash
# Times training and evaluation, in one process with all threads and on two ranks, and prints seconds per edit, memory, where
# the time of training goes, and the share of the machine's matrix rate that the arithmetic needed reaches. Takes as long as
# four such runs; leaves nothing behind. For figures that mean something the machine should be idle.
# --peer N then races amend against the same method in plain PyTorch (benchmark-peer.py, in float32 and, where the processor has
# instructions for it, in bfloat16), N times in turn, on as many threads, and prints peer / amend. It keeps PyTorch in .build/peer: pip's wheel, so PIP_EXTRA_INDEX_URL may name
# an index of smaller ones without CUDA. Takes much longer than the rest.
# usage: benchmark.sh [--json] [--peer N] [CONFIG] [key.path=value …]      CONFIG is Configs/quickstart.yaml if not given
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.bash
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"

form=table
rounds=0
while [[ ${1:-} = --* ]]; do
    case $1 in
        --json) form=json ;;
        --peer)
            [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "--peer is '${2:-}'; expected how many times to race, 1 or more"
            rounds=$2
            shift
            ;;
        *) die "there is no option $1; expected --json or --peer N" ;;
    esac
    shift
done
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

peer_python=$root/.build/peer/bin/python

install_peer() {
    say "PyTorch, in .build/peer"
    [ -x "$peer_python" ] || python3 -m venv .build/peer || die "python3 -m venv failed; on Debian it needs the package python3-venv"
    "$peer_python" -m pip install --quiet torch==2.13.0 transformers==5.23.0 gguf==0.19.0 accelerate==1.15.0 pyyaml==6.0.3 numpy==2.4.6 >&2 \
        || die "pip could not install PyTorch; see the messages above"
}

# measure_peer RUN DTYPE COMMAND
measure_peer() {
    local name=$1 dtype=$2 command=$3
    say "$command, $name"
    "$peer_python" Scripts/benchmark-peer.py "$command" "$config" --editor "$results/$name.pt" --dtype "$dtype" --threads "$threads" \
        "${overrides[@]}" >"$results/$name-$command.json" 2>"$results/log" \
        || { cat "$results/log" >&2; die "PyTorch, $command, $name: its messages are above"; }
}

dtypes=(f32)
if [ "$rounds" -gt 0 ]; then
    install_peer
    # Elsewhere PyTorch has to emulate bfloat16, which says nothing of what it can do.
    if grep -qwE 'avx512_bf16|amx_bf16|bf16' /proc/cpuinfo; then dtypes+=(bf16); else say "no bfloat16 instructions here: float32 only"; fi
fi
"$amend" doctor --json >"$results/doctor.json"
threads=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["threads"])' "$results/doctor.json")
measure alone train
measure alone evaluate
measure ranks train with_ranks 2
measure ranks evaluate with_ranks 2
for ((round = 1; round <= rounds; round++)); do
    for command in train evaluate; do measure "amend-$round" "$command"; done
    for dtype in "${dtypes[@]}"; do
        for command in train evaluate; do measure_peer "$dtype-$round" "$dtype" "$command"; done
    done
done

python3 - "$results" "$form" "$rounds" "${dtypes[@]}" <<'PYTHON'
import json, os, statistics, sys

folder, form, rounds, dtypes = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
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
        if "phases" in result:  # the first rank's, beside its part of the machine
            rate = machine["sgemmGflops"] / result["ranks"]
            run["phases"] = [{"phase": part["phase"], "seconds": part["seconds"], "share": part["seconds"] / result["seconds"],
                              "gflops": gflops, "shareOfSgemm": gflops / rate}
                             for part in result["phases"] for gflops in [part["operations"] / max(part["seconds"], 1e-9) / 1e9]]
        if "digest" in result: digests[name] = result["digest"]

def race(round, dtype):
    """One round. amend's scoring counts as the slower of its two: the second has the frozen layers' results of the first at hand."""
    trained, evaluated = read(f"amend-{round}-train.json"), read(f"amend-{round}-evaluate.json")
    peer_trained, peer_evaluated = read(f"{dtype}-{round}-train.json"), read(f"{dtype}-{round}-evaluate.json")
    scores = ("efficacy", "generalization", "specificity")
    ours = {"trainingSeconds": trained["seconds"], "loss": trained["loss"], "residentBytes": trained["residentBytes"],
            "evaluationSeconds": evaluated["editingSeconds"] + max(evaluated["scoringBeforeSeconds"], evaluated["scoringAfterSeconds"]),
            "scores": [evaluated[name] for name in scores]}
    theirs = {"trainingSeconds": peer_trained["seconds"], "loss": peer_trained["loss"], "residentBytes": peer_trained["residentBytes"],
              "evaluationSeconds": peer_evaluated["editingSeconds"] + peer_evaluated["scoringSeconds"],
              "scores": [peer_evaluated[name] for name in scores]}
    return {"round": round, "dtype": dtype, "threads": peer_trained["threads"], "amend": ours, "peer": theirs,
            "trainingRatio": theirs["trainingSeconds"] / ours["trainingSeconds"],
            "evaluationRatio": theirs["evaluationSeconds"] / ours["evaluationSeconds"]}

races = [race(round, dtype) for round in range(1, rounds + 1) for dtype in dtypes]

def ratios(dtype, key):
    values = [race[key] for race in races if race["dtype"] == dtype]
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}

report = {"core": machine["core"], "threads": machine["threads"], "sgemmGflops": machine["sgemmGflops"],
          "digestsEqual": digests.get("alone") == digests.get("ranks"), "runs": runs, "problems": machine["problems"]}
if races:
    report["races"] = races
    report["peerOverAmend"] = {dtype: {"training": ratios(dtype, "trainingRatio"), "evaluation": ratios(dtype, "evaluationRatio")}
                               for dtype in dtypes}
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
print(f"\n{'training, alone':22}{'seconds':>10}{'of whole':>10}{'GFLOP/s':>9}{'of sgemm':>10}")
for part in runs[0]["phases"]:
    print(f"{part['phase']:22}{part['seconds']:10.2f}{part['share']:10.1%}{part['gflops']:9.1f}{part['shareOfSgemm']:10.0%}")
if races:
    print(f"\n{'PyTorch / amend':22}{'training':>18}{'ratio':>7}{'edit and score':>18}{'ratio':>7}    (seconds / seconds)")
for race in races:
    ours, theirs = race["amend"], race["peer"]
    def pair(key): return f"{theirs[key]:.1f} / {ours[key]:.1f}"
    print(f"{'round ' + str(race['round']) + ', ' + race['dtype']:22}{pair('trainingSeconds'):>18}{race['trainingRatio']:7.2f}"
          f"{pair('evaluationSeconds'):>18}{race['evaluationRatio']:7.2f}")
for dtype, parts in report.get("peerOverAmend", {}).items():
    print(f"{dtype}: " + "; ".join(f"{name} {part['median']:.2f} times amend's time, from {part['lowest']:.2f} to {part['highest']:.2f}"
                                   for name, part in parts.items()))
for race in races:
    text = [" / ".join("-" if score is None else f"{score:.1f}" for score in race[name]["scores"]) for name in ("peer", "amend")]
    print(f"round {race['round']}, {race['dtype']}: mean loss {race['peer']['loss']:.4f}, amend {race['amend']['loss']:.4f}; scores {text[0]}, amend "
          f"{text[1]}; {race['peer']['residentBytes'] / 1e6:.0f} MB, amend {race['amend']['residentBytes'] / 1e6:.0f}")
print("\nBoth runs trained the same bits." if report["digestsEqual"] else "\nThe two runs trained DIFFERENT bits.")
for problem in machine["problems"]: print(f"doctor: {problem}")
PYTHON
