#!/usr/bin/env bash
# From a fresh clone to a trained editor: installs, builds, fetches SmolLM2-135M, meta-trains on two ranks, and prints what
# the editor does to facts it was not trained on. Started again, it goes on where it stopped.
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

python3 - "$results/train.json" "$results/evaluate.json" <<'PYTHON'
import json, sys

train, scores = (json.load(open(path)) for path in sys.argv[1:])
meanings = {
    "efficacy": "edited statements whose new answer is now the more probable",
    "generalization": "the same, asked in other words",
    "specificity": "neighbouring facts that kept their right answer",
}
print(f"\n{scores['edits']} edits, none of their subjects seen in training ({scores['protocol']} protocol, percent)\n")
print(f"{'':16}{'before':>8}{'after':>8}")
for name, meaning in meanings.items():
    print(f"{name:16}{scores['before'][name]:8.1f}{scores[name]:8.1f}   {meaning}")
says, kept, drift = scores["exactMatch"], scores["unchanged"], scores["drift"]
print(f"{'says it':16}{says['before']['efficacy']:8.1f}{says['after']['efficacy']:8.1f}   each token of the new answer is the likeliest")
print(f"{'in other words':16}{says['before']['generalization']:8.1f}{says['after']['generalization']:8.1f}")
print(f"{'neighbours':16}{100:8.1f}{kept['specificity']:8.1f}   their likeliest next token is the unedited model's")
if drift:
    print(f"{'plain text':16}{100:8.1f}{drift['tokensKept']:8.1f}   likewise, of text that no edit is about; its perplexity × {drift['perplexityRatio']:.2f}")
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
