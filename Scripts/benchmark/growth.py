#!/usr/bin/env python3
"""Measures `amend train` as one thing at a time grows, fits exponents and draws: see growth.sh, which starts this.

Measurements are kept in results/growth.json, pictures beside it; the tables of results/growth.md are written anew, its text is not.
"""

import argparse
import json
import math
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib
import numpy

matplotlib.use("svg")
from matplotlib import pyplot

HERE = Path(__file__).resolve().parent
SCRIPTS = HERE.parent
ROOT = SCRIPTS.parent
AMEND = ROOT / ".build/release/amend"
FOLDER = HERE / "results"
STORE = FOLDER / "growth.json"

SMOLLM2 = ROOT / "models/smollm2-135m"
SHAPES = {"smollm2-135m": 30, "qwen2.5-0.5b": 24, "llama-3.2-1b": 16, "llama-3.2-3b": 28, "llama-3-8b": 32}  # layers
LENGTHS = [10, 30, 100, 300, 1000]
SEQUENCE_BATCH = 4
RANK_BATCHES = [20, 512]
MACHINE_BYTES = 24 * 2**30
GB = 1e9


# ---------------------------------------------------------------- measuring

class Bench:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.facts = json.loads((ROOT / "Configs/data/world-facts-train.json").read_text())
        self.machine = json.loads(self.run([AMEND, "doctor", "--json"]))

    def run(self, command):
        result = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=ROOT, check=False)
        if result.returncode != 0:
            sys.exit(f"growth: status {result.returncode} of {' '.join(map(str, command))}\n{result.stderr}")
        return result.stdout

    def data(self, distinct, count):
        """A file of the first `distinct` facts, repeated to `count` records: every run has the same mixture of lengths."""
        path = self.folder / "train.json"
        path.write_text(json.dumps([self.facts[index % distinct] for index in range(count)]))
        return path

    def train(self, model, data, edits, batches, ranks=1, settings=()):
        """One sequence, with an update after every batch and one checkpoint, whose time is not counted."""
        checkpoint = self.folder / "checkpoint"
        shutil.rmtree(checkpoint, ignore_errors=True)
        launcher = ["mpirun", "--quiet", "--bind-to", "none", "--oversubscribe", "-np", ranks] if ranks > 1 else []
        out = json.loads(self.run([
            *launcher, AMEND, "train", ROOT / "Configs/emsedit.yaml", "--json", f"model.path={model}", f"data.train.path={data}",
            f"data.edits_per_batch={edits}", f"data.batches={batches}", "training.passes=1", "training.update_every=1",
            f"checkpoint.directory={checkpoint}", f"checkpoint.every={batches}", *settings]))
        shutil.rmtree(checkpoint)
        saving = sum(part["seconds"] for part in out["phases"] if part["phase"] == "checkpoint")
        return {
            "edits": edits, "batches": batches, "ranks": ranks, "seconds": out["seconds"] - saving, "operations": out["operations"],
            "residentBytes": out["residentBytes"], "privateBytes": out["privateBytes"], "mappedBytes": out["mappedBytes"],
            "digest": out["digest"], "phases": [part for part in out["phases"] if part["phase"] != "checkpoint"],
            "sgemmGflops": self.machine["sgemmGflops"], "core": self.machine["core"], "threads": self.machine["threads"],
        }


def powers(most):
    return [2**i for i in range(int(math.log2(most)) + 1)]


def measure_edits(bench, arguments):
    distinct = 64
    for edits in powers(arguments.most_edits):
        batches = max(1, distinct // edits)
        data = bench.data(distinct, max(distinct, edits))
        yield {"experiment": "edits", "x": edits, **bench.train(SMOLLM2, data, edits, batches)}


def measure_sequence(bench, arguments):
    distinct = SEQUENCE_BATCH * LENGTHS[0]
    for length in [length for length in LENGTHS if length <= arguments.longest]:
        data = bench.data(distinct, SEQUENCE_BATCH * length)
        yield {"experiment": "sequence", "x": length, **bench.train(SMOLLM2, data, SEQUENCE_BATCH, length)}


def measure_size(bench, arguments):
    names = list(SHAPES)
    for name in names[:names.index(arguments.largest) + 1]:
        model = arguments.models / f"random-{name}" if arguments.models else bench.folder / "model"
        if not (model / "tokenizer.json").exists():  # what is written last
            shutil.rmtree(model, ignore_errors=True)
            bench.run([sys.executable, SCRIPTS / "make-random-model.py", name, model])
        parameters = json.loads(bench.run([AMEND, "inspect", model, "--json"]))["parameters"]
        point = bench.train(model, bench.data(20, 20), 20, 1, settings=[f"editor.modules={modules(SHAPES[name])}", "editor.inner_learning_rate=1e-6"])
        if not arguments.models:
            shutil.rmtree(model)
        yield {"experiment": "size", "x": parameters, "model": name, **point}


def modules(layers):
    """The layers of the recipes for 30 and 32 layers, at the same depths of others."""
    def at(layer):
        return layer if layers >= 30 else layer * layers // 32

    return json.dumps([f"model.layers.{at(11)}-{at(15)}.mlp.gate_proj", f"model.layers.{at(18)}-{at(24)}.mlp.up_proj"])


def measure_ranks(bench, arguments):
    for edits in RANK_BATCHES:
        data = bench.data(64, max(64, edits))
        for ranks in (1, 2, 4):
            yield {"experiment": "ranks", "x": ranks, **bench.train(SMOLLM2, data, edits, 1, ranks)}


EXPERIMENTS = {"edits": measure_edits, "sequence": measure_sequence, "size": measure_size, "ranks": measure_ranks}


def key(point):
    return point["experiment"], point["x"], point["edits"]


def store(points, point):
    points = sorted([other for other in points if key(other) != key(point)] + [point], key=key)
    STORE.write_text("[\n" + ",\n".join(json.dumps(point) for point in points) + "\n]\n")
    return points


# ---------------------------------------------------------------- fitting

def per_edit(point, what):
    return point[what] / (point["edits"] * point["batches"])


def exponent(x, y):
    """Slope of the straight line through log y against log x; nan of fewer than two points."""
    return float(numpy.polyfit(numpy.log(x), numpy.log(y), 1)[0]) if len(x) > 1 else math.nan


def signed(value, digits):
    return "not measured" if math.isnan(value) else f"{value:+.{digits}f}"


def fit(x, y, columns):
    """Least squares of relative errors: the weights of `columns` (functions of x), none negative."""
    x, y = numpy.asarray(x, float), numpy.asarray(y, float)
    active = list(columns)
    while True:
        weights = numpy.linalg.lstsq(numpy.array([column(x) / y for column in active]).T, numpy.ones_like(y), rcond=None)[0]
        if len(active) == 1 or min(weights) >= 0:
            break
        active.pop(int(numpy.argmin(weights)))
    return [float(weights[active.index(column)]) if column in active else 0.0 for column in columns]


def constant(x): return numpy.ones_like(x)
def inverse(x): return 1 / x
def line(x): return x


# ---------------------------------------------------------------- drawing

def panel(axes, title, x_label, y_label):
    axes.set(title=title, xlabel=x_label, ylabel=y_label, xscale="log", yscale="log")
    axes.grid(True, which="major", color="0.85", linewidth=0.6)


def tick(axes, values, texts):
    axes.set_xticks(values, texts)
    axes.minorticks_off()


def plain(axes):
    """Plain numbers along y, also between powers of ten."""
    axes.yaxis.set_major_locator(matplotlib.ticker.LogLocator(base=10, subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(matplotlib.ticker.NullLocator())


def pictures(title):
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    figure.suptitle(title)
    return figure, axes


def save(figure, name):
    figure.savefig(FOLDER / f"growth-{name}.svg", metadata={"Date": None})
    pyplot.close(figure)


MEASURED = {"marker": "o", "linestyle": "none", "markersize": 5}
MODELLED = {"linestyle": "--", "linewidth": 1.2}


def steps(ticks):
    """Every second of many ticks."""
    return ticks if len(ticks) <= 9 else ticks[::-1][::2][::-1]


def draw_edits(points):
    x = numpy.array([point["x"] for point in points])
    seconds = numpy.array([per_edit(point, "seconds") for point in points])
    gflop = numpy.array([per_edit(point, "operations") / 1e9 for point in points])
    memory = numpy.array([point["residentBytes"] / GB for point in points])
    beyond = numpy.geomspace(1, max(16384, x[-1] * 2), 200)
    few, many = x <= 16, x >= 64
    in_parts = x >= 512  # from there on everything is computed in parts; fewer edits say nothing of how memory goes on
    cost = fit(x, seconds, [inverse, constant])
    is_modelled = numpy.count_nonzero(in_parts) > 1
    figure, (left, right) = pictures("SmolLM2-135M, one process, batches of n edits, an update after each")
    panel(left, "Cost per edit", "edits per batch n", "seconds, or GFLOP")
    left.plot(x, seconds, color="C0", label="seconds, measured", **MEASURED)
    left.plot(beyond, cost[0] / beyond + cost[1], color="C0", label=f"{cost[0]:.2f} / n + {cost[1]:.3f} s", **MODELLED)
    left.plot(x, gflop, color="C1", label="GFLOP of matrix products, counted", **MEASURED)
    panel(right, "Most resident memory", "edits per batch n", "GB")
    right.plot(x, memory, color="C2", label="measured", **MEASURED)
    models = [f"{cost[0]:.3g} / n + {cost[1]:.3g}", "not measured", "not measured"]
    if is_modelled:
        large = beyond[beyond >= 512]
        floating, = fit(x[in_parts], gflop[in_parts], [constant])
        bytes_ = fit(x[in_parts], memory[in_parts], [constant, line])
        left.plot(large, numpy.full_like(large, floating), color="C1", label=f"{floating:.2f} GFLOP", **MODELLED)
        right.plot(large, bytes_[0] + bytes_[1] * large, color="C2", label=f"{bytes_[0]:.2f} GB + {bytes_[1] * 1e3:.2f} MB · n", **MODELLED)
        most = (MACHINE_BYTES / GB - bytes_[0]) / bytes_[1]
        models[1:] = [f"{floating:.4g}", f"{bytes_[0]:.3g} + {bytes_[1]:.3g} n; 24 GiB at n = {most:,.0f}"]
    right.axhline(MACHINE_BYTES / GB, color="0.4", linewidth=0.8)
    right.text(1, MACHINE_BYTES / GB * 0.93, "24 GiB", va="top", fontsize=8, color="0.3")
    ticks = steps(powers(beyond[-1]))
    for axes in (left, right):
        tick(axes, ticks, [f"{value:,}" for value in ticks])
        axes.tick_params(axis="x", labelsize=8)
        axes.legend(fontsize=8)
    plain(left)
    plain(right)
    save(figure, "edits")
    return [(name, model, exponent(x[few], y[few]), exponent(x[many], y[many]))
            for name, model, y in zip(("seconds per edit", "GFLOP per edit", "GB resident"), models, (seconds, gflop, memory))]


def draw_sequence(points):
    x = numpy.array([point["x"] for point in points])
    seconds, gflop = [per_edit(point, "seconds") for point in points], [per_edit(point, "operations") / 1e9 for point in points]
    memory = [point["residentBytes"] / GB for point in points]
    figure, (left, right) = pictures(f"SmolLM2-135M, one process, a sequence of L batches of {SEQUENCE_BATCH} edits in one model")
    panel(left, "Cost per edit, mean over the sequence", "batches in sequence L", "seconds, or GFLOP")
    left.plot(x, seconds, color="C0", label="seconds, measured", **MEASURED)
    left.plot(x, gflop, color="C1", label="GFLOP of matrix products, counted", **MEASURED)
    panel(right, "Most resident memory", "batches in sequence L", "GB")
    right.plot(x, memory, color="C2", label="measured", **MEASURED)
    rows = []
    for axes, name, values, color in [(left, "seconds per edit", seconds, "C0"), (left, "GFLOP per edit", gflop, "C1"), (right, "GB resident", memory, "C2")]:
        late = x >= 30  # by then the edits are dense
        slope = exponent(x[late], numpy.array(values)[late])
        mean = math.exp(float(numpy.mean(numpy.log(numpy.array(values)[late]))))
        middle = math.exp(float(numpy.mean(numpy.log(x[late]))))
        beyond = numpy.array([30.0, 2000.0])
        if not math.isnan(slope):
            axes.plot(beyond, mean * (beyond / middle) ** slope, color=color, label=f"L to the power {slope:+.3f}", **MODELLED)
        rows.append((name, slope))
    for axes in (left, right):
        tick(axes, LENGTHS, LENGTHS)
        axes.set_ylim(*[limit * factor for limit, factor in zip(axes.get_ylim(), (0.5, 2))])
        plain(axes)
        axes.legend(fontsize=8)
    save(figure, "sequence")
    return rows


def draw_size(points):
    x = numpy.array([point["x"] / 1e9 for point in points])
    seconds, gflop = [per_edit(point, "seconds") for point in points], [per_edit(point, "operations") / 1e9 for point in points]
    private = [(point["residentBytes"] - point["mappedBytes"]) / GB for point in points]
    resident = [point["residentBytes"] / GB for point in points]
    figure, (left, right) = pictures("Random weights of published shapes in bfloat16, one process, one batch of 20 edits")
    panel(left, "Cost per edit", "parameters, billions", "seconds, or GFLOP")
    panel(right, "Most resident memory", "parameters, billions", "GB")
    beyond, rows = numpy.array([x[0], 70.0]), []
    for axes, name, label, values, color in [
            (left, "seconds per edit", "seconds, measured", seconds, "C0"), (left, "GFLOP per edit", "GFLOP of matrix products, counted", gflop, "C1"),
            (right, "GB resident", "with the mapped weights, measured", resident, "C2"),
            (right, "GB resident without mapped weights", "without them", private, "C3")]:
        slope, offset = numpy.polyfit(numpy.log(x), numpy.log(values), 1)
        axes.plot(x, values, color=color, label=label, **MEASURED)
        axes.plot(beyond, numpy.exp(offset) * beyond**slope, color=color, label=f"parameters to the power {slope:.2f}", **MODELLED)
        rows.append((name, slope, float(numpy.exp(offset) * 8.03**slope), float(numpy.exp(offset) * 70**slope)))
    right.axhline(MACHINE_BYTES / GB, color="0.4", linewidth=0.8)
    right.text(x[0], MACHINE_BYTES / GB * 1.05, "24 GiB", fontsize=8, color="0.3")
    for axes in (left, right):
        tick(axes, [0.135, 0.5, 1.24, 3.2, 8, 70], ["0.135", "0.5", "1.24", "3.2", "8", "70"])
        plain(axes)
        axes.legend(fontsize=8)
    save(figure, "size")
    return rows


def draw_ranks(points):
    figure, (left, right) = pictures("SmolLM2-135M, one batch, ranks that share the machine's cores")
    panel(left, "Seconds per edit", "ranks", "seconds")
    panel(right, "Most resident memory of one rank", "ranks", "GB")
    for index, edits in enumerate(RANK_BATCHES):
        chosen = [point for point in points if point["edits"] == edits]
        x = [point["x"] for point in chosen]
        left.plot(x, [per_edit(point, "seconds") for point in chosen], color=f"C{index}", label=f"{edits} edits, measured", **MEASURED)
        right.plot(x, [point["residentBytes"] / GB for point in chosen], color=f"C{index}", label=f"{edits} edits, measured", **MEASURED)
    for axes in (left, right):
        tick(axes, [1, 2, 4], [1, 2, 4])
        axes.set_ylim(*[limit * factor for limit, factor in zip(axes.get_ylim(), (0.5, 2))])
        plain(axes)
        axes.legend(fontsize=8)
    save(figure, "ranks")


# ---------------------------------------------------------------- tables

def table(head, rows):
    return "\n".join(["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head)] + [[str(cell) for cell in row] for row in rows]])


def seconds_of(point, *phases):
    return sum(part["seconds"] for part in point["phases"] if part["phase"] in phases)


def operations_of(point, *phases):
    return sum(part["operations"] for part in point["phases"] if part["phase"] in phases)


PARTS = [("frozen layers", ["prefix"]), ("captures", ["capture"]), ("networks", ["hypernetwork", "hypernetworkBackward"]),
         ("solve, apply", ["solve", "apply"]), ("meta-gradient", ["metaGradient"]), ("normalizer, update", ["normalizer", "update", "exchange"])]


def common_columns(point):
    return [f"{per_edit(point, 'seconds'):.3f}", f"{per_edit(point, 'operations') / 1e9:.2f}", f"{point['residentBytes'] / GB:.2f}"]


COMMON = ["s per edit", "GFLOP per edit", "GB resident"]


def tables(groups):
    """The text that stands between the markers of growth.md, by the markers' names."""
    texts = {}
    if points := groups.get("edits"):
        rows = [[f"{point['x']:,}", *common_columns(point),
                 *[f"{seconds_of(point, *phases) / point['edits'] / point['batches'] * 1e3:.1f}" for _, phases in PARTS]] for point in points]
        counted = [[f"{point['x']:,}", *[f"{operations_of(point, *phases) / point['edits'] / point['batches'] / 1e9:.2f}" for _, phases in PARTS[:-1]]]
                   for point in points]
        fits = [[name, model, signed(few, 2), signed(many, 2)] for name, model, few, many in draw_edits(points)]
        texts["edits"] = "\n\n".join([
            table(["edits n", *COMMON, *[f"{name}, ms" for name, _ in PARTS]], rows),
            table(["edits n", *[f"{name}, GFLOP per edit" for name, _ in PARTS[:-1]]], counted),
            table(["", "fitted (cost to all n, the rest to n ≥ 512)", "exponent, n ≤ 16", "exponent, n ≥ 64"], fits)])
    if points := groups.get("sequence"):
        rows = [[f"{point['x']:,}", *common_columns(point)] for point in points]
        fits = [[name, signed(slope, 3)] for name, slope in draw_sequence(points)]
        texts["sequence"] = "\n\n".join([table(["batches L", *COMMON], rows), table(["", "exponent, L ≥ 30"], fits)])
    if points := groups.get("size"):
        rows = [[point["model"], f"{point['x'] / 1e6:,.0f}", *common_columns(point), f"{point['mappedBytes'] / GB:.2f}",
                 f"{point['operations'] / point['seconds'] / 1e9:.0f}"] for point in points]
        fits = [[name, f"{slope:.2f}", f"{at8:.3g}", f"{at70:.3g}"] for name, slope, at8, at70 in draw_size(points)]
        texts["size"] = "\n\n".join([table(["shape", "million parameters", *COMMON, "of it mapped", "GFLOP/s"], rows),
                                     table(["", "exponent", "at 8 billion", "at 70 billion"], fits)])
    if points := groups.get("ranks"):
        draw_ranks(points)
        rows = [[point["edits"], point["x"], *common_columns(point), f"{point['privateBytes'] / GB:.2f}", f"{seconds_of(point, 'exchange'):.2f}",
                 point["digest"][:8]] for point in sorted(points, key=lambda point: (point["edits"], point["x"]))]
        texts["ranks"] = table(["edits n", "ranks", *COMMON, "GB private at the end, all ranks", "s in exchanges, first rank", "digest"], rows)
    return texts


def report(points):
    groups = {name: [point for point in points if point["experiment"] == name] for name in EXPERIMENTS}
    for name, text in tables(groups).items():
        fill(name, text)
    machines = sorted({f"{point['core']} kernels, {point['threads']} threads" for point in points})
    rates = [point["sgemmGflops"] for point in points]
    fill("machine", f"Measured on: {'; '.join(machines)}; OpenBLAS multiplied at {min(rates):.0f} to {max(rates):.0f} GFLOP/s.")


def fill(name, text):
    page = FOLDER / "growth.md"
    content, start, end = page.read_text(), f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    if start not in content or end not in content:
        sys.exit(f"growth: {page} has no place '{start.strip()}' … '{end}'")
    head, rest = content.split(start, 1)
    page.write_text(head + start + text + "\n" + rest[rest.index(end):])


def main():
    parser = argparse.ArgumentParser(prog="growth.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", metavar="|".join([*EXPERIMENTS, "draw"]), help="default: everything")
    parser.add_argument("--most-edits", type=int, default=8192, help="edits in the largest batch (default: 8192)")
    parser.add_argument("--longest", type=int, default=LENGTHS[-1], help="batches in the longest sequence (default: 1000)")
    parser.add_argument("--largest", choices=SHAPES, default="llama-3.2-3b", help="the largest model (default: llama-3.2-3b)")
    parser.add_argument("--models", type=Path, help="keep random models here, and use those that are there")
    arguments = parser.parse_args()
    for name in arguments.what:
        if name not in EXPERIMENTS and name != "draw":
            parser.error(f"there is nothing to measure by the name '{name}'; expected {', '.join(EXPERIMENTS)} or draw")
    points = json.loads(STORE.read_text()) if STORE.exists() else []
    with tempfile.TemporaryDirectory(prefix="amend-growth-") as folder:
        measured = [name for name in arguments.what or EXPERIMENTS if name != "draw"]
        bench = Bench(folder) if measured else None
        for name in measured:
            for point in EXPERIMENTS[name](bench, arguments):
                points = store(points, point)
                print(f"{name} {point['x']:,}, {point['edits']} edits: {per_edit(point, 'seconds'):.3f} s and "
                      f"{per_edit(point, 'operations') / 1e9:.2f} GFLOP per edit, {point['residentBytes'] / GB:.2f} GB", file=sys.stderr, flush=True)
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "amend", "font.size": 9, "axes.titlesize": 10})
    report(points)


if __name__ == "__main__":
    main()
