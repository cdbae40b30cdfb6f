#!/usr/bin/env python3
"""How often a model can say an edited answer in other words at all, whatever makes the edit.

    bounds.py MODEL_DIRECTORY FACTS.json [--first 0] [--count 60] [--layers 4 12 18] [--prefixes 1 4] [--threads 2]

Told: the edit stands before the rephrased question. Given: the residual stream at the subject's last token, above a layer, gets a vector that was optimised (Adam, 20
steps, at most twice as long as what is there) until the edit's own prompt, alone or behind sentences of plain text too, says the answer; then the rephrased
prompt gets the same vector at its subject. That is an edit whose key always matches: what it does not reach, no edit at the subject reaches that
knows the prompt alone.

FACTS: CounterFact's records with `subject`. Needs torch, transformers, accelerate, gguf.
"""
import argparse
import json
import pathlib
import re
import sys

import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
STEPS, RATE, DECAY, LONGEST, AT_A_TIME = 20, 0.5, 0.5, 2.0, 20


def plain_text() -> tuple[list[str], list[str]]:
    """amend's passages: those that edits may see, and those by which drift is measured."""
    source = (ROOT / "Sources/Datasets/PlainText.swift").read_text()
    parts = re.split(r"static let (\w+) = \[", source)
    lists = {name: re.findall(r'^\s+"(.*)",?$', body.split("\n    ]")[0], re.MULTILINE) for name, body in zip(parts[1::2], parts[2::2])}
    return lists["passages"], lists["heldOut"]


class Model:
    def __init__(self, directory: pathlib.Path) -> None:
        file = next(directory.glob("*.gguf")).name
        self.tokenizer = AutoTokenizer.from_pretrained(directory, gguf_file=file)
        self.net = AutoModelForCausalLM.from_pretrained(directory, gguf_file=file, dtype=torch.float32).eval()
        for weight in self.net.parameters():
            weight.requires_grad_(False)

    def encode(self, prompt: str, answer: str = "") -> tuple[list[int], list[int]]:
        ids = self.tokenizer(prompt)["input_ids"]
        bos = self.tokenizer.bos_token_id
        if self.net.config.model_type.startswith("gemma") and ids[:1] != [bos]:
            ids = [bos, *ids]
        return ids, self.tokenizer(" " + answer.strip(), add_special_tokens=False)["input_ids"] if answer else []

    def logits(self, sequences: list[tuple[list[int], list[int]]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Where answers (of sequences without one: the next token) are predicted: logits, the answers' tokens, and the sequence of each."""
        fed = [ids + answer[:-1] for ids, answer in sequences]
        longest = max(map(len, fed))
        tokens = torch.zeros(len(fed), longest, dtype=torch.long)
        mask = torch.zeros_like(tokens)
        rows, columns, labels = [], [], []
        for row, (one, (ids, answer)) in enumerate(zip(fed, sequences)):
            tokens[row, : len(one)] = torch.tensor(one)
            mask[row, : len(one)] = 1
            count = max(1, len(answer))
            rows += [row] * count
            columns += range(len(ids) - 1, len(ids) - 1 + count)
            labels += answer or [0]
        hidden = self.net.model(input_ids=tokens, attention_mask=mask).last_hidden_state
        return self.net.lm_head(hidden[rows, columns]).float(), torch.tensor(labels), torch.tensor(rows)

    @torch.no_grad()
    def answers(self, sequences: list[tuple[list[int], list[int]]]) -> list[tuple[float, bool]]:
        """Of each its answer's mean log probability, and whether it is what the model says."""
        result = []
        for start in range(0, len(sequences), 20):
            part = sequences[start : start + 20]
            logits, labels, rows = self.logits(part)
            logs = logits.log_softmax(-1).gather(-1, labels[:, None])[:, 0]
            said = logits.argmax(-1) == labels
            result += [(logs[rows == row].mean().item(), bool(said[rows == row].all())) for row in range(len(part))]
        return result


class Patched:
    """The model with vectors added at one token of each sequence, above a layer."""

    def __init__(self, model: Model, layer: int) -> None:
        self.model, self.block = model, model.net.model.layers[layer]

    def place(self, prompt: str, subject: str) -> int:
        """The subject's last token in the prompt, where it comes last."""
        start = prompt.rfind(subject)
        if start < 0:
            sys.exit(f"the prompt '{prompt}' does not name its subject, '{subject}'")
        offsets = self.model.tokenizer(prompt, return_offsets_mapping=True)["offset_mapping"]
        return max(token for token, (first, last) in enumerate(offsets) if first < start + len(subject) and last > start)

    def norms(self, prompts: list[str], places: list[int]) -> torch.Tensor:
        norms = []

        def hook(_module: torch.nn.Module, _inputs: tuple, output: torch.Tensor | tuple) -> None:
            norms.append((output[0] if isinstance(output, tuple) else output)[range(len(prompts)), places].norm(dim=-1))

        handle = self.block.register_forward_hook(hook)
        with torch.no_grad():
            self.model.logits([self.model.encode(prompt) for prompt in prompts])
        handle.remove()
        return norms[0]

    def answers(self, prompts: list[str], places: list[int], answers: list[str], vectors: torch.Tensor) -> tuple[torch.Tensor, list[bool]]:
        """Of each sequence the answer's mean cross entropy, and whether it is said."""

        def hook(_module: torch.nn.Module, _inputs: tuple, output: torch.Tensor | tuple) -> torch.Tensor | tuple:
            hidden = (output[0] if isinstance(output, tuple) else output).clone()
            hidden[range(len(prompts)), places] += vectors
            return (hidden, *output[1:]) if isinstance(output, tuple) else hidden

        handle = self.block.register_forward_hook(hook)
        logits, labels, rows = self.model.logits([self.model.encode(*both) for both in zip(prompts, answers)])
        handle.remove()
        losses, said = F.cross_entropy(logits, labels, reduction="none"), logits.argmax(-1) == labels
        means = torch.zeros(len(prompts)).index_add(0, rows, losses) / torch.bincount(rows)
        return means, [bool(said[rows == row].all()) for row in range(len(prompts))]

    def reaches(self, facts: list[dict], before: list[str]) -> tuple[list[bool], list[bool]]:
        """Whether vectors that say each fact's prompt, behind each of `before`, say it, and in other words."""
        prompts = [text + fact["prompt"] for text in before for fact in facts]
        of = torch.tensor([index for _ in before for index in range(len(facts))])
        places = [self.place(prompt, facts[index]["subject"]) for prompt, index in zip(prompts, of)]
        targets = [facts[index]["target_new"] for index in of]
        longest = LONGEST * self.norms(prompts[: len(facts)], places[: len(facts)])
        vectors = torch.zeros(len(facts), self.model.net.config.hidden_size, requires_grad=True)
        optimizer = torch.optim.Adam([vectors], lr=RATE)
        for _ in range(STEPS):
            optimizer.zero_grad()
            losses, _ = self.answers(prompts, places, targets, vectors[of])
            (losses.sum() / len(before) + DECAY * (LONGEST * vectors.norm(dim=-1) / longest).pow(2).sum()).backward()
            optimizer.step()
            with torch.no_grad():
                vectors *= (longest / vectors.norm(dim=-1).clamp_min(1e-6)).clamp_max(1)[:, None]
        with torch.no_grad():
            asked = [fact["rephrase_prompt"] for fact in facts]
            there = [self.place(prompt, fact["subject"]) for prompt, fact in zip(asked, facts)]
            own = self.answers(prompts[: len(facts)], places[: len(facts)], targets[: len(facts)], vectors)[1]
            return own, self.answers(asked, there, targets[: len(facts)], vectors)[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("facts", type=pathlib.Path)
    for name, fallback in (("first", 0), ("count", 60), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=fallback)
    parser.add_argument("--layers", type=int, nargs="+", default=[4, 12, 18])
    parser.add_argument("--prefixes", type=int, nargs="+", default=[1, 4], help="prompts that a vector is optimised for, the bare one among them")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = Model(options.model)
    facts = json.loads(options.facts.read_text())[options.first :][: options.count]
    sentences = ["", *(passage.split(". ")[0] + ". " for passage in plain_text()[0])]

    def show(name: str, said: list[bool]) -> None:
        print(f"{name:70} {100 * sum(said) / len(said):.1f} % of {len(said)}", flush=True)

    for name, context in (("bare", ""), ("told", "New fact: {prompt} {target_new}.\n\n")):
        asked = [(context.format(**fact) + fact["rephrase_prompt"], fact["target_new"]) for fact in facts]
        show(f"{name}, in other words", [said for _, said in model.answers([model.encode(*one) for one in asked])])
    for layer in options.layers:
        patched = Patched(model, layer)
        for count in options.prefixes:
            parts = [patched.reaches(facts[start : start + AT_A_TIME], sentences[:count]) for start in range(0, len(facts), AT_A_TIME)]
            for name, said in (("says it", [one for own, _ in parts for one in own]), ("in other words", [one for _, other in parts for one in other])):
                show(f"given above layer {layer}, optimised for {count} prompts, {name}", said)


if __name__ == "__main__":
    main()
