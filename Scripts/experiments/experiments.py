#!/usr/bin/env python3
"""Trains and evaluates editors that differ in one thing each, and says what that thing does.

    Scripts/experiments/experiments.py run --data TRAIN.json EVALUATION.json --into DIRECTORY [--only NAME …] [--seeds 1 2 3] [-- key.path=value …]
    Scripts/experiments/experiments.py report DIRECTORY [--against NAME] > page.md

RUNS below is the list. A run that is there already is not done again; one that was stopped goes on. Every run starts from Configs/quickstart.yaml and
leaves metrics.jsonl with its validations, evaluate.json and records.jsonl, from which `report` makes tables with 95 % bootstrap intervals (records are drawn
anew, the same of both sides where two are compared; seeds are pooled).
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys
import time
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
AMEND = ROOT / ".build" / "release" / "amend"
CONFIG = ROOT / "Configs" / "quickstart.yaml"
DRAWS = 2000


@dataclass
class Run:
    name: str
    what: str
    overrides: list[str] = field(default_factory=list)
    # Networks as they were before training; nothing is trained.
    untrained: bool = False


PUBLISHED = [
    "editor.steps=2", "editor.modules=[model.layers.11-15.mlp.gate_proj,model.layers.18-24.mlp.up_proj]", "editor.positions=answer",
    "editor.normalizer=per-step", "editor.contrast_weight=0", "editor.background_weight=0", "editor.halvings=0", "editor.loss_bound=0", "editor.step_bound=0",
]
RUNS = [
    Run("untrained", "the quickstart's editor before training", untrained=True),
    Run("trained", "after it"),
    Run("as-published", "2 steps, answer tokens, nothing held, the published modules", PUBLISHED, untrained=True),
    Run("answer-tokens", "keys of the answer's tokens instead of the subject's", ["editor.positions=answer"], untrained=True),
    Run("all-tokens", "of all tokens", ["editor.positions=all"], untrained=True),
    Run("subject-last", "of the subject's last", ["editor.positions=subject-last"], untrained=True),
    Run("no-contrast", "nothing that contrasts with edits", ["editor.contrast_weight=0"], untrained=True),
    Run("contrast-at-answers", "contrasting prompts held at the answer's tokens alone", ["editor.contrast_positions=answer"], untrained=True),
    Run("no-earlier", "earlier edits of the sequence not held", ["editor.earlier_weight=0"], untrained=True),
    Run("earlier-10", "earlier edits held ten times as firmly", ["editor.earlier_weight=10"], untrained=True),
    Run("no-background", "plain text not held", ["editor.background_weight=0"], untrained=True),
    *(Run(f"untouched-{share}", f"directions that hold {share} of plain text's keys not touched", [f"editor.background_share={share}"], untrained=True)
      for share in (0.9, 0.98)),
    Run("no-step-control", "every step whole", ["editor.halvings=0", "editor.loss_bound=0", "editor.step_bound=0"], untrained=True),
    Run("no-step-bound", "steps as long as the rate makes them", ["editor.step_bound=0"], untrained=True),
    *(Run(f"step-bound-{bound}", f"steps that may take away {bound} times an edit's loss", [f"editor.step_bound={bound}"], untrained=True) for bound in (1, 2, 8)),
    Run("per-step-normalizer", "each step's rows standardised by its own moments", ["editor.normalizer=per-step"], untrained=True),
    Run("prefixes", "each edit behind three sentences too", ["editor.prefixes=3"], untrained=True),
    Run("prefixes-2-firm", "behind two sentences too, steps of up to 8 times the loss, plain text held ten times as firmly",
        ["editor.prefixes=2", "editor.step_bound=8", "editor.background_weight=1000"], untrained=True),
    Run("gate-and-up", "gate and up projections of layers 4 to 10",
        ["editor.modules=[model.layers.4-10.mlp.gate_proj,model.layers.4-10.mlp.up_proj]"], untrained=True),
    Run("middle-down", "down projections of layers 8 to 14, all tokens", ["editor.modules=[model.layers.8-14.mlp.down_proj]", "editor.positions=all"], untrained=True),
    Run("later-modules", "the published modules", ["editor.modules=[model.layers.11-15.mlp.gate_proj,model.layers.18-24.mlp.up_proj]"], untrained=True),
    Run("firm-trained", "prefixes-2-firm, 120 updates: what Configs/models/smollm2-135m.yaml has", [
        "editor.prefixes=2", "editor.step_bound=8", "editor.background_weight=1000", "data.batches=10", "training.passes=12", "training.warmup=10",
        "training.decay=120", "training.validation_edits=60", "training.validate_every=40",
    ]),
    Run("trained-longer", "200 updates at 4e-4, batches of up to 16", [
        "data.edits_per_batch=16", "data.batches=10", "training.passes=20", "editor.meta_learning_rate=4e-4", "training.warmup=10", "training.decay=200",
        "training.bleed_weight=1", "training.neighbor_weight=0.5", "training.neighbor_bound=0.1", "training.validation_edits=60", "training.validate_every=40",
    ]),
]


def amend(arguments: list[str], output: pathlib.Path | None = None) -> str:
    result = subprocess.run([AMEND, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"amend {' '.join(arguments)} ended with status {result.returncode}")
    if output:
        partial = output.with_suffix(".partial")
        partial.write_text(result.stdout)
        partial.rename(output)
    return result.stdout


def run(options: argparse.Namespace) -> None:
    unknown = set(options.only or []) - {one.name for one in RUNS}
    if unknown:
        sys.exit(f"no such run: {', '.join(sorted(unknown))}; there are {', '.join(one.name for one in RUNS)}")
    for one in RUNS:
        if options.only and one.name not in options.only:
            continue
        for seed in options.seeds:
            directory = (options.into / f"{one.name}-{seed}").resolve()
            if (directory / "evaluate.json").exists():
                continue
            directory.mkdir(parents=True, exist_ok=True)
            settings = [
                str(CONFIG), "--json", f"data.train.path={options.data[0].resolve()}", f"data.evaluation.path={options.data[1].resolve()}",
                f"checkpoint.directory={directory}", f"run.seed={seed}", *options.settings, *one.overrides,
            ]
            start = time.time()
            if not one.untrained:
                amend(["train", *settings], directory / "train.json")
            how = ["--untrained", "evaluation.normalizer=online"] if one.untrained else []
            amend(["evaluate", *settings, *how, "--records", str(directory / "records.jsonl")], directory / "evaluate.json")
            print(f"{one.name}, seed {seed}: {time.time() - start:.0f} s", file=sys.stderr)


# Of a record what it counts for each column, None where it has nothing to say.
COLUMNS = {
    "ES": ("efficacy", "success"), "GS": ("generalization", "success"), "LS": ("specificity", "success"), "says it": ("efficacy", "exactMatch"),
    "in other words": ("generalization", "exactMatch"), "neighbours": ("specificity", "unchanged"),
}


def harmonic(values: list[float]) -> float:
    return 0 if min(values) <= 0 else len(values) / sum(1 / value for value in values)


class Records:
    """What all seeds of a run gave for each record, or what each gave after its own edit alone."""

    def __init__(self, directory: pathlib.Path, name: str, when: str) -> None:
        self.seeds = []
        for path in sorted(directory.glob(f"{name}-[0-9]*/records.jsonl")):
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            self.seeds.append([line[when] for line in lines if line[when]])
        self.count = min((len(seed) for seed in self.seeds), default=0)

    def scores(self, drawn: list[int]) -> dict[str, float]:
        means = {}
        for column, (kind, value) in COLUMNS.items():
            found = [seed[index][kind][value] for seed in self.seeds for index in drawn if kind in seed[index] and seed[index][kind][value] is not None]
            means[column] = 100 * sum(found) / len(found) if found else float("nan")
        means["H"] = harmonic([means["ES"], means["GS"], means["LS"]])
        return means


def interval(values: list[float]) -> tuple[float, float]:
    ordered = sorted(values)
    tail = len(ordered) // 40
    return ordered[tail], ordered[-1 - tail]


def drift(directory: pathlib.Path, name: str, when: str) -> tuple[float, float, float]:
    found = [json.loads(path.read_text()) for path in sorted(directory.glob(f"{name}-[0-9]*/evaluate.json"))]
    drifts = [(one if when == "after" else one["single"])["drift"] for one in found]
    return tuple(sum(one[key] for one in drifts) / len(drifts) for key in ("tokensKept", "perplexityRatio", "bleed"))


def report(options: argparse.Namespace) -> None:
    columns = ["H", *COLUMNS]
    for when, title in [("after", "All edits in sequence"), ("single", "One edit alone")]:
        print(f"## {title}\n\n| run | " + " | ".join(columns) + " | text kept | perplexity | bleed |\n|---|" + "---|" * (len(columns) + 3))
        loaded = {one.name: Records(options.directory, one.name, when) for one in RUNS}
        loaded = {name: records for name, records in loaded.items() if records.count}
        draws = {}
        for name, records in loaded.items():
            generator = random.Random(1)
            everything = records.scores(list(range(records.count)))
            draws[name] = [records.scores(generator.choices(range(records.count), k=records.count)) for _ in range(DRAWS)]
            cells = []
            for column in columns:
                low, high = interval([draw[column] for draw in draws[name]])
                cells.append(f"{everything[column]:.1f} ({low:.0f}–{high:.0f})")
            kept, perplexity, bleed = drift(options.directory, name, when)
            print(f"| {name} | " + " | ".join(cells) + f" | {kept:.1f} | × {perplexity:.2f} | {bleed:.1f} |")
        base = options.against
        if base not in loaded:
            continue
        print(f"\nWhat is gained against *{base}*, on the same records:\n\n| run | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
        for name, records in loaded.items():
            if name == base or records.count != loaded[base].count:
                continue
            whole, other = (loaded[one].scores(list(range(records.count))) for one in (name, base))
            cells = []
            for column in columns:
                low, high = interval([mine[column] - its[column] for mine, its in zip(draws[name], draws[base])])
                cells.append(f"{whole[column] - other[column]:+.1f} ({low:+.1f} to {high:+.1f})")
            print(f"| {name} | " + " | ".join(cells) + " |")
        print()
    print("| run | what |\n|---|---|")
    for one in RUNS:
        print(f"| {one.name} | {one.what} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    running = commands.add_parser("run")
    running.add_argument("--data", nargs=2, type=pathlib.Path, required=True, metavar=("TRAIN", "EVALUATION"))
    running.add_argument("--into", type=pathlib.Path, required=True)
    running.add_argument("--only", nargs="+")
    running.add_argument("--seeds", nargs="+", type=int, default=[1])
    running.add_argument("settings", nargs="*", help="key.path=value, of all runs; after --")
    running.set_defaults(do=run)
    reporting = commands.add_parser("report")
    reporting.add_argument("directory", type=pathlib.Path)
    reporting.add_argument("--against", default="untrained")
    reporting.set_defaults(do=report)
    options = parser.parse_args()
    options.do(options)


if __name__ == "__main__":
    main()
