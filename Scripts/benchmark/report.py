#!/usr/bin/env python3
"""What benchmark.sh has measured: put together, printed, and compared with an earlier run.

    report.py assemble FOLDER --rounds N --dtypes f32,bf16 --configuration NAME --settings [SETTING …]    one JSON object
    report.py table REPORT                                                                     the same for people
    report.py check STORED --configuration NAME --settings [SETTING …]         whether a report of these can be compared with STORED
    report.py compare STORED REPORT [--tolerance PERCENT]           status 1 where something fell

Reports are compared by what was reached of the machine's own rates, measured beside it, so they may come from different machines. A
kernel has its share of sgemm or of a copy. A run or phase has edits per TFLOP: how many it does while sgemm would do 10¹² operations
on the same threads; more is better, as for every number that is compared.
"""
import argparse
import json
import os
import statistics
import sys

LEAST_PHASE = 0.02  # of the whole: shorter phases are not compared


# ---------------------------------------------------------------- assembling

def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def run_of(folder, name, command):
    """One command of one run, beside sgemm's mean between its batches where that was timed, else sgemm's best before and after it."""
    result = read(os.path.join(folder, f"{name}-{command}.json"))
    sgemm = result.get("sgemmGflops")
    if sgemm is None:
        sgemm = max(read(os.path.join(folder, f"{name}-{command}-{when}.json"))["sgemmGflops"] for when in ("before", "after"))
    run = {"command": command, "ranks": result["ranks"], "sgemmGflops": sgemm, "seconds": result["seconds"],
           "secondsPerEdit": result["secondsPerEdit"], "edits": result["edits"], "residentBytes": result["residentBytes"]}
    if command == "evaluate":  # what other tools call editing and scoring leaves out the unedited model
        run["editAndScoreSecondsPerEdit"] = (result["editingSeconds"] + result["scoringAfterSeconds"]) / result["edits"]
    if result.get("startSeconds") is not None:
        run["startSeconds"] = result["startSeconds"]
    if result.get("operations"):
        run["gflops"] = result["operations"] / result["seconds"] / 1e9
        run["shareOfSgemm"] = run["gflops"] / sgemm
    if "sgemmBestGflops" in result:
        run["sgemmBestGflops"] = result["sgemmBestGflops"]
    if "phases" in result:  # the first rank's, beside its part of the machine
        run["phases"] = [phase_of(part, result["seconds"], sgemm / result["ranks"]) for part in result["phases"]]
    return run, result.get("digest")


def phase_of(part, whole, sgemm):
    seconds = max(part["seconds"], 1e-9)
    gflops = part["operations"] / seconds / 1e9
    return {"phase": part["phase"], "seconds": part["seconds"], "share": part["seconds"] / whole, "operations": part["operations"],
            "bytes": part["bytes"], "gflops": gflops, "bytesPerSecond": part["bytes"] / seconds, "shareOfSgemm": gflops / sgemm}


def race(folder, number, dtype):
    """One round. amend's scoring counts as the slower of its two: the second has the frozen layers' results of the first at hand."""
    trained, evaluated = (read(os.path.join(folder, f"amend-{dtype}-{number}-{command}.json")) for command in ("train", "evaluate"))
    peer_trained, peer_evaluated = (read(os.path.join(folder, f"{dtype}-{number}-{command}.json")) for command in ("train", "evaluate"))
    scores = ("efficacy", "generalization", "specificity")
    ours = {"trainingSeconds": trained["seconds"], "loss": trained["loss"], "residentBytes": trained["residentBytes"],
            "evaluationSeconds": evaluated["editingSeconds"] + max(evaluated["scoringBeforeSeconds"], evaluated["scoringAfterSeconds"]),
            "scores": [evaluated[name] for name in scores]}
    theirs = {"trainingSeconds": peer_trained["seconds"], "loss": peer_trained["loss"], "residentBytes": peer_trained["residentBytes"],
              "evaluationSeconds": peer_evaluated["editingSeconds"] + peer_evaluated["scoringSeconds"],
              "scores": [peer_evaluated[name] for name in scores]}
    return {"round": number, "dtype": dtype, "threads": peer_trained["threads"], "amend": ours, "peer": theirs,
            "trainingRatio": theirs["trainingSeconds"] / ours["trainingSeconds"],
            "evaluationRatio": theirs["evaluationSeconds"] / ours["evaluationSeconds"]}


def ratios(races, dtype, key):
    values = [race[key] for race in races if race["dtype"] == dtype]
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def without_directories(setting):
    key, _, value = setting.partition("=")
    return f"{key}={os.path.basename(value.rstrip('/'))}"


def assemble(arguments):
    folder = arguments.folder
    machine = read(os.path.join(folder, "doctor.json"))
    runs, digests = [], []
    for name in ("alone", "ranks"):
        for command in ("train", "evaluate"):
            run, digest = run_of(folder, name, command)
            runs.append(run)
            if digest is not None:
                digests.append(digest)
    alternated, digest = run_of(folder, "alternated", "train")
    digests.append(digest)
    report = {"work": work_of(arguments.configuration, arguments.settings), "core": machine["core"], "threads": machine["threads"],
              "sgemmGflops": max(run["sgemmGflops"] for run in runs), "digestsEqual": len(set(digests)) == 1, "runs": runs,
              "alternated": alternated, "problems": machine["problems"], "kernels": machine["kernels"],
              "productGflops": machine["productGflops"], "tileGflops": machine["tileGflops"]}
    kernels = os.path.join(folder, "kernels.json")
    if os.path.exists(kernels):
        report["benchmark"] = read(kernels)
    dtypes = arguments.dtypes.split(",")
    races = [race(folder, number, dtype) for number in range(1, arguments.rounds + 1) for dtype in dtypes]
    if races:
        report["races"] = races
        report["peerOverAmend"] = {dtype: {"training": ratios(races, dtype, "trainingRatio"), "evaluation": ratios(races, dtype, "evaluationRatio")}
                                   for dtype in dtypes}
    print(json.dumps(report))


# ---------------------------------------------------------------- for people

def print_runs(report):
    print(f"sgemm: {report['sgemmGflops']:.1f} GFLOP/s on {report['threads']} threads, {report['core']} kernels")
    rates = ", ".join(f"{arithmetic} {rate:.0f}" for arithmetic, rate in report["productGflops"].items())
    tiles = f"; matrix tiles in registers alone {report['tileGflops']:.0f}" if report["tileGflops"] else ""
    print(f"amend's own products of 1536 × 1536, {report['kernels']} kernels, GFLOP/s: {rates}{tiles}\n")
    print(f"{'':10}{'ranks':>6}{'seconds':>10}{'s/edit':>9}{'MB/process':>12}{'GFLOP/s':>9}{'sgemm':>9}{'of sgemm':>10}{'start, s':>10}")
    for run in report["runs"]:
        rate, share = (f"{run['gflops']:9.1f}", f"{run['shareOfSgemm']:10.0%}") if "gflops" in run else (f"{'-':>9}", f"{'-':>10}")
        start = f"{run['startSeconds']:10.2f}" if "startSeconds" in run else f"{'-':>10}"
        print(f"{run['command']:10}{run['ranks']:6}{run['seconds']:10.2f}{run['secondsPerEdit']:9.4f}{run['residentBytes'] / 1e6:12.0f}"
              f"{rate}{run['sgemmGflops']:9.1f}{share}{start}")
    for run in report["runs"]:
        if "editAndScoreSecondsPerEdit" in run:
            print(f"evaluate on {run['ranks']} rank{'s' if run['ranks'] > 1 else ''}: {run['editAndScoreSecondsPerEdit']:.4f} s per edit to edit "
                  "and score the edited model, the rest for the unedited one")
    alternated = report["alternated"]
    print(f"\nTraining, with sgemm timed between the batches: {alternated['gflops']:.1f} GFLOP/s, {alternated['shareOfSgemm']:.1%} of sgemm's mean "
          f"{alternated['sgemmGflops']:.1f} ({alternated['sgemmBestGflops']:.1f} at best)\n")
    print(f"{'':22}{'seconds':>10}{'of whole':>10}{'GFLOP/s':>9}{'of sgemm':>10}{'GB/s':>8}    (bytes of matrix products)")
    for part in alternated["phases"]:
        print(f"{part['phase']:22}{part['seconds']:10.2f}{part['share']:10.1%}{part['gflops']:9.1f}{part['shareOfSgemm']:10.0%}"
              f"{part['bytesPerSecond'] / 1e9:8.1f}")


def print_kernels(benchmark):
    print(f"\nkernels on {benchmark['threads']} threads, {benchmark['kernelVariant']}; the copy far beyond the caches: "
          f"{benchmark['copyBytesPerSecond'] / 1e9:.1f} GB/s\n{'':52}{'seconds':>10}{'GFLOP/s':>9}{'GB/s':>8}{'share':>7}")
    for kernel in benchmark["kernels"]:
        print(f"{kernel['name']:52}{kernel['seconds']:10.2e}{kernel['gflops']:9.1f}{kernel['bytesPerSecond'] / 1e9:8.1f}{kernel['share']:7.0%} "
              f"of {kernel['yardstick']}")
    checkpoint = benchmark["checkpoint"]
    print(f"checkpoint of {checkpoint['bytes'] / 1e6:.0f} MB: written at {checkpoint['bytes'] / checkpoint['writeSeconds'] / 1e6:.0f} MB/s, read at "
          f"{checkpoint['bytes'] / checkpoint['readSeconds'] / 1e6:.0f} MB/s, {checkpoint['ratio']:.1%} of its size on disk")


def print_races(report):
    if "races" not in report:
        return
    print(f"\n{'PyTorch / amend':22}{'training':>18}{'ratio':>7}{'edit and score':>18}{'ratio':>7}    (seconds / seconds)")
    for result in report["races"]:
        ours, theirs = result["amend"], result["peer"]
        training, evaluation = (f"{theirs[key]:.1f} / {ours[key]:.1f}" for key in ("trainingSeconds", "evaluationSeconds"))
        print(f"{'round ' + str(result['round']) + ', ' + result['dtype']:22}{training:>18}{result['trainingRatio']:7.2f}"
              f"{evaluation:>18}{result['evaluationRatio']:7.2f}")
    for dtype, parts in report["peerOverAmend"].items():
        print(f"{dtype}: " + "; ".join(f"{name} {part['median']:.2f} times amend's time, from {part['lowest']:.2f} to {part['highest']:.2f}"
                                       for name, part in parts.items()))
    for result in report["races"]:
        peer, ours = result["peer"], result["amend"]
        scores = [" / ".join("-" if score is None else f"{score:.1f}" for score in side["scores"]) for side in (peer, ours)]
        print(f"round {result['round']}, {result['dtype']}: mean loss {peer['loss']:.4f}, amend {ours['loss']:.4f}; scores {scores[0]}, amend "
              f"{scores[1]}; {peer['residentBytes'] / 1e6:.0f} MB, amend {ours['residentBytes'] / 1e6:.0f}")


def table(arguments):
    report = read(arguments.report)
    print_runs(report)
    if "benchmark" in report:
        print_kernels(report["benchmark"])
    print_races(report)
    print("\nAll runs trained the same bits." if report["digestsEqual"] else "\nThe runs trained DIFFERENT bits.")
    for problem in report["problems"]:
        print(f"doctor: {problem}")


# ---------------------------------------------------------------- comparing

def comparable(report):
    """name: (number, unit); more is better."""
    lines = {}
    for run in report["runs"]:
        name = f"{run['command']}, {run['ranks']} rank{'s' if run['ranks'] > 1 else ''}"

        def per_tflop(key, seconds, unit="edits/TFLOP", name=name, run=run):
            lines[f"{name}: {key}" if key else name] = (1e3 / (seconds * run["sgemmGflops"]), unit)

        per_tflop("", run["secondsPerEdit"])
        if "editAndScoreSecondsPerEdit" in run:
            per_tflop("edit and score", run["editAndScoreSecondsPerEdit"])
        if "startSeconds" in run:
            per_tflop("start", run["startSeconds"], "starts/TFLOP")
        for part in run.get("phases", []):
            if part["share"] >= LEAST_PHASE:
                per_tflop(part["phase"], part["seconds"] / run["edits"])
        lines[f"{name}: memory"] = (1e9 / run["residentBytes"], "processes/GB")
    if "alternated" in report:  # which reports of before have not
        lines["train, alternated with sgemm"] = (100 * report["alternated"]["shareOfSgemm"], "% of sgemm")
    if "benchmark" in report:
        benchmark = report["benchmark"]
        for kernel in benchmark["kernels"]:
            lines[kernel["name"]] = (100 * kernel["share"], f"% of {kernel['yardstick']}")
        checkpoint = benchmark["checkpoint"]
        for what in ("Write", "Read"):
            lines[f"checkpoint: {what.lower()}"] = (100 * checkpoint["bytes"] / checkpoint[f"fastest{what}Seconds"] / benchmark["copyBytesPerSecond"],
                                                    "% of copy")
        lines["checkpoint: compression"] = (checkpoint["bytes"] / checkpoint["storedBytes"], "to 1")
    return lines


def stored_report(path):
    """(lines, what was measured, threads)"""
    try:
        report = read(path)
        return comparable(report), report["work"], report["threads"]
    except OSError as error:
        sys.exit(f"report: {path}: {error.strerror}")
    except (ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
        sys.exit(f"report: {path} is not what benchmark.sh --json prints: {type(error).__name__} {error}")


def work_of(configuration, settings):
    if os.path.isabs(configuration):
        configuration = os.path.basename(configuration)
    return " ".join([configuration, *sorted(without_directories(setting) for setting in settings)])


def require_equal_work(path, stored, now):
    if stored != now:
        sys.exit(f"report: {path} measured {stored}; this is {now}: they cannot be compared")


def check(arguments):
    require_equal_work(arguments.stored, stored_report(arguments.stored)[1], work_of(arguments.configuration, arguments.settings))


def compare(arguments):
    (old, old_work, old_threads), (new, new_work, new_threads) = stored_report(arguments.stored), stored_report(arguments.report)
    require_equal_work(arguments.stored, old_work, new_work)
    if old_threads != new_threads:
        print(f"The stored run had {old_threads} threads, this one {new_threads}: shares fall with threads that share caches and memory.")
    print(f"\n{'against the machine, more is better':52}{'stored':>9}{'now':>9}{'ratio':>7}")
    fallen = []
    for name in [name for name in old if name in new]:
        (before, unit), (after, _) = old[name], new[name]
        fell = after < before * (1 - arguments.tolerance / 100)
        if fell:
            fallen.append(name)
        print(f"{name:52}{before:9.3g}{after:9.3g}{after / before:7.2f} {unit}{'  FELL' if fell else ''}")
    for names, where in ((old.keys() - new.keys(), "only stored"), (new.keys() - old.keys(), "not stored")):
        if names:
            print(f"{where}: {', '.join(sorted(names))}")
    if fallen:
        print(f"\n{len(fallen)} of {len(old)} fell by more than {arguments.tolerance:g} %.")
        sys.exit(1)
    print(f"\nNothing fell by more than {arguments.tolerance:g} %.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("assemble")
    command.add_argument("folder")
    command.add_argument("--rounds", type=int, default=0)
    command.add_argument("--dtypes", default="f32")
    command.add_argument("--configuration", required=True)
    command.add_argument("--settings", nargs="*", default=[])
    command.set_defaults(run=assemble)
    command = commands.add_parser("table")
    command.add_argument("report")
    command.set_defaults(run=table)
    command = commands.add_parser("check")
    command.add_argument("stored")
    command.add_argument("--configuration", required=True)
    command.add_argument("--settings", nargs="*", default=[])
    command.set_defaults(run=check)
    command = commands.add_parser("compare")
    command.add_argument("stored")
    command.add_argument("report")
    command.add_argument("--tolerance", type=float, default=25, metavar="PERCENT")
    command.set_defaults(run=compare)
    arguments = parser.parse_args()
    arguments.run(arguments)


main()
