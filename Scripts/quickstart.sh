#!/usr/bin/env bash
# From a fresh clone to a trained editor: installs, builds, fetches SmolLM2-135M, meta-trains on two ranks, and prints what
# the editor does to facts it was not trained on, before training and after. Started again, it goes on where it stopped.
# usage: quickstart.sh [key.path=value …], as in Configs/quickstart.yaml
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.bash
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
cd "$root"

config=Configs/quickstart.yaml
ranks=2

step "Dependencies"
Scripts/install-dependencies.sh
step "Build"
build_amend
step "Model"
Scripts/fetch-model.sh smollm2-135m

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

# run COMMAND RESULT [key.path=value …]
run() {
    local command=$1 result=$2 status=0
    shift 2
    with_ranks "$ranks" "$amend" "$command" "$config" --json "$@" >"$result" || status=$?
    [ "$status" != 75 ] || { say "stopped on request, progress is saved; start Scripts/quickstart.sh again to go on"; exit 75; }
    [ "$status" = 0 ] || { say "amend $command failed with status $status; 'amend doctor' checks the machine"; exit "$status"; }
}

step "Train: mpirun -np $ranks amend train $config"
run train "$results/train.json" "$@"
step "Evaluate: mpirun -np $ranks amend evaluate $config"
run evaluate "$results/evaluate.json" "$@"
if grep -q '"untrained": true' "$results/evaluate.json"; then
    cp "$results/evaluate.json" "$results/untrained.json"
else
    step "Evaluate the untrained editor: mpirun -np $ranks amend evaluate --untrained $config"
    run evaluate "$results/untrained.json" --untrained "$@" evaluation.in_context=false
fi

python3 - "$results/train.json" "$results/untrained.json" "$results/evaluate.json" <<'PYTHON'
import json, sys

train, untrained, scores = (json.load(open(path)) for path in sys.argv[1:])
print(f"\n{scores['edits']} edits in sequence, none of their subjects seen in training ({scores['protocol']} protocol, percent)\n")
if scores["untrained"]:
    print("Validation found no better networks than those that training began with, which are used.\n")
told = scores["inContext"]
print(f"{'':16}{'unedited':>10}{'told':>6}{'untrained':>11}{'trained':>9}{'95 %':>9}")


def row(name, unedited, value, meaning, interval=None, told=None):
    first, second = ("" if one is None else f"{one:.1f}" for one in (unedited, told))
    spread = "" if interval is None else "{:.0f}–{:.0f}".format(*interval)
    print(f"{name:16}{first:>10}{second:>6}{value(untrained):11.1f}{value(scores):9.1f}{spread:>9}   {meaning}".rstrip())


def of(*path):
    def value(report):
        for key in path:
            report = report[key]
        return report
    return value


intervals = scores["intervals"]
for name, meaning in [
    ("efficacy", "edited statements whose new answer is now the more probable"), ("generalization", "the same, asked in other words"),
    ("specificity", "neighbouring facts that kept their right answer"),
]:
    row(name, scores["before"][name], of(name), meaning, intervals["scores"][name], told and told["scores"][name])
row("harmonic mean", scores["harmonicMean"]["before"], of("harmonicMean", "after"), "of the three", intervals["harmonicMean"], told and told["harmonicMean"])
says = scores["exactMatch"]["before"]
for name, kind, meaning in [("says it", "efficacy", "each token of the new answer is the likeliest"), ("in other words", "generalization", "")]:
    row(name, says[kind], of("exactMatch", "after", kind), meaning, intervals["exactMatch"][kind], told and told["exactMatch"][kind])
row("neighbours", 100, of("unchanged", "specificity"), "their likeliest next token is the unedited model's", intervals["unchanged"]["specificity"],
    told and told["unchanged"]["specificity"])
if scores["drift"]:
    row("plain text", 100, of("drift", "tokensKept"), f"likewise, of text that no edit is about; its perplexity × {scores['drift']['perplexityRatio']:.2f}")
if told:
    print("\ntold: no edit; the unedited model reads the new fact before each prompt")
if scores["single"]:
    single = scores["single"]
    print(f"\nAfter one edit alone ({single['edits']} of them):\n")
    row("says it", says["efficacy"], of("single", "exactMatch", "efficacy"), "", single["intervals"]["exactMatch"]["efficacy"])
    row("in other words", says["generalization"], of("single", "exactMatch", "generalization"), "", single["intervals"]["exactMatch"]["generalization"])
    row("neighbours", 100, of("single", "unchanged", "specificity"), "", single["intervals"]["unchanged"]["specificity"])
    if single["drift"]:
        row("plain text", 100, of("single", "drift", "tokensKept"), "")
if train["secondsPerEdit"] > 0:
    print(f"\nTraining took {train['secondsPerEdit']:.3f} s per edit on {train['ranks']} ranks.")
else:
    print("\nTraining had been finished before.")
editing, scoring = (scores[key] / scores["edits"] for key in ("editingSeconds", "scoringAfterSeconds"))
print(f"Editing took {editing:.3f} s per edit, scoring the edited model {scoring:.3f}.")
print(f"""The editor is in {train['checkpoint']}

Next:
  .build/release/amend inspect {train['checkpoint']}    look into it
  Scripts/quickstart.sh editor.steps=3 checkpoint.directory=runs/three-steps    change any value of the configuration
  README.md    your own model and data, stopping and resuming, several machines""")
PYTHON
