"""Executable specification of amend's numerics: a small, slow, obvious PyTorch model of what the Swift code computes.

It is an oracle to compare against, not a part of the product. Everything is float32 on the CPU, one process,
normal equations in their primal form, gradients by autograd. The Swift code has the same mathematics in other forms
(dual, low rank, sharded, gradients by hand); both must give the same numbers.

A *micro-batch* is a dict of right-padded tensors: input_ids, attention_mask, labels ([sequences, tokens]; labels are
-100 except at the positions that predict an answer token). An *edit batch* is a dict of three lists of micro-batches:
"edit" (the prompts to edit), "equiv" (their rephrasings, same answers), "unrel" (unrelated prompts and answers).
"""

import torch
import torch.nn.functional as F
from torch import nn
from transformers.pytorch_utils import Conv1D

# ---------------------------------------------------------------- the frozen language model

def module(model, name):
    return model.get_submodule(name)


def shape(linear):
    """(keySize, valueSize) of a linear module: the widths of its input and of its output."""
    out_in = tuple(linear.weight.shape)
    return out_in if isinstance(linear, Conv1D) else out_in[::-1]


def add_shift(model, shifts, sign=1.0):
    """W += sign * shift for each module; a shift is [keySize, valueSize]."""
    with torch.no_grad():
        for name, shift in shifts.items():
            linear = module(model, name)
            linear.weight += sign * (shift if isinstance(linear, Conv1D) else shift.T)


def weight_gradient(model, name):
    """dLoss/dW of a module, as [keySize, valueSize]."""
    linear = module(model, name)
    return linear.weight.grad if isinstance(linear, Conv1D) else linear.weight.grad.T


def logits(model, batch):
    return model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits


def answer_loss(model, batch):
    """Mean cross entropy over the answer tokens of one micro-batch."""
    rows = batch["labels"] != -100
    return F.cross_entropy(logits(model, batch)[rows], batch["labels"][rows])


def answer_kl(model, batch, reference):
    """KL(reference || model) over the answer tokens, divided by their number ("batchmean")."""
    rows = batch["labels"] != -100
    return F.kl_div(logits(model, batch)[rows].log_softmax(-1), reference[rows].log_softmax(-1),
                    reduction="batchmean", log_target=True)


def capture(model, names, batch):
    """One backpropagation: keys (inputs) and value gradients (dLoss/dOutput) of each module at the answer tokens."""
    rows = batch["labels"] != -100
    keys, grads, handles = {}, {}, []
    for name in names:
        def forward_hook(_, inputs, output, name=name):
            keys[name] = inputs[0][rows].detach()
            output.register_hook(lambda g, name=name: grads.__setitem__(name, g[rows].detach()))
        handles.append(module(model, name).register_forward_hook(forward_hook))
    answer_loss(model, batch).backward()
    for handle in handles:
        handle.remove()
    model.zero_grad()
    return keys, grads


# ---------------------------------------------------------------- the hypernetwork

class RunningMoments(nn.Module):
    """Streaming mean and standard deviation of each feature, merged one micro-batch at a time (Chan's update)."""

    def __init__(self, size, eps=1e-8):
        super().__init__()
        self.eps = eps
        for name, value in (("n", torch.zeros(1)), ("mean", torch.zeros(size)), ("var", torch.zeros(size)), ("std", torch.ones(size))):
            self.register_buffer(name, value)

    def observe(self, x):
        m = x.shape[0]
        if m == 0:
            return
        n, delta = self.n + m, x.mean(0) - self.mean
        m2 = self.var * self.n + x.var(0, unbiased=False) * m + delta ** 2 * self.n * m / n
        self.n, self.mean, self.var, self.std = n, self.mean + delta * m / n, m2 / n, (m2 / (n - 1 + self.eps)).sqrt()

    def forward(self, x):
        return (x - self.mean) / (self.std + torch.finfo(x.dtype).eps)


class Block(nn.Module):
    """y + scale[module] * max(0, y A B + bias) + shift[module]

    The derivative of max(0, x) at x = 0 is taken as one (torch's clamp, unlike relu): B and bias start at zero, so
    with a zero derivative there they would never learn.
    """

    def __init__(self, size, rank, modules):
        super().__init__()
        self.A, self.B, self.bias = nn.Parameter(torch.randn(size, rank)), nn.Parameter(torch.zeros(rank, size)), nn.Parameter(torch.zeros(size))
        self.scale, self.shift = nn.Parameter(torch.ones(modules, size)), nn.Parameter(torch.zeros(modules, size))

    def forward(self, y, index):
        return y + self.scale[index] * (y @ self.A @ self.B + self.bias).clamp(min=0) + self.shift[index]


class HyperNetwork(nn.Module):
    """One network for all edited modules of one shape; `index` says which of them a row belongs to."""

    def __init__(self, key_size, value_size, rank, blocks, modules, lr):
        super().__init__()
        self.key_size, self.value_size = key_size, value_size
        self.normalizer = RunningMoments(key_size + value_size)
        self.blocks = nn.ModuleList(Block(key_size + value_size, rank, modules) for _ in range(blocks))
        self.lr = nn.Parameter(torch.full((modules,), lr))          # inner learning rate, one per module
        self.log_lambda = nn.Parameter(torch.zeros(modules))        # ridge term exp(log_lambda), one per module

    def forward(self, keys, grads, index):
        z = self.normalizer(torch.cat((keys, grads), -1))
        for block in self.blocks:
            z = block(z, index)
        return z.split([self.key_size, self.value_size], -1)


def make_networks(model, names, method, config):
    """{step: {shape: HyperNetwork}} and {module: (shape, index)}; steps share one network unless they are step-specific."""
    slots, counts = {}, {}
    for name in names:
        s = shape(module(model, name))
        slots[name] = (s, counts.get(s, 0))
        counts[s] = counts.get(s, 0) + 1

    def build(rank):
        return {s: HyperNetwork(*s, rank, config["blocks"], n, config["lr"]) for s, n in counts.items()}
    steps = config["steps"]
    if method in ("emsedit_sequential", "rledit"):                  # step i has its own network, of rank/(i+1)
        return {i: build(config["rank"] // (i + 1)) for i in range(steps)}, slots
    shared = build(config["rank"])
    return {i: shared for i in range(steps)}, slots


def parameters(networks):
    seen = []
    for nets in networks.values():
        for net in nets.values():
            seen += [p for p in net.parameters() if not any(p is q for q in seen)]
    return seen


# ---------------------------------------------------------------- from captured rows to a parameter shift

def value_differences(method, net, keys, grads, index, config):
    """D [tokens, valueSize]: how the module's output at each captured token should change."""
    if method == "ultraedit":                                       # no hypernetwork: the normalised rows themselves
        key, grad = net.normalizer(torch.cat((keys, grads), -1)).split([net.key_size, net.value_size], -1)
        return -config["lr"] * (key * key).sum(-1, keepdim=True) * grad
    pseudo_keys, pseudo_grads = net(keys, grads, index)
    return -net.lr[index] * (keys * pseudo_keys).sum(-1, keepdim=True) * pseudo_grads


def shift(method, net, keys, grads, index, config):
    """S [keySize, valueSize], differentiable with respect to the hypernetwork."""
    if method == "mend":                                            # rank-one updates, summed
        pseudo_keys, pseudo_grads = net(keys, grads, index)
        return -net.lr[index] * pseudo_keys.T @ pseudo_grads
    ridge = 1.0 if method == "ultraedit" else net.log_lambda[index].exp()
    gram = keys.T @ keys + ridge * torch.eye(net.key_size)
    return torch.linalg.solve(gram, keys.T @ value_differences(method, net, keys, grads, index, config))


def capture_and_observe(model, names, networks, slots, step, micro_batches):
    """Backpropagates each micro-batch, feeds the normalisers in that order, and returns the rows of all of them."""
    rows = {name: ([], []) for name in names}
    for batch in micro_batches:
        keys, grads = capture(model, names, batch)
        for name in names:
            networks[step][slots[name][0]].normalizer.observe(torch.cat((keys[name], grads[name]), -1))
            rows[name][0].append(keys[name])
            rows[name][1].append(grads[name])
    return {name: (torch.cat(k), torch.cat(g)) for name, (k, g) in rows.items()}


def predict(method, networks, slots, step, rows, config):
    """{module: shift}, still attached to the hypernetwork's graph."""
    return {name: shift(method, networks[step][slots[name][0]], k, g, slots[name][1], config) for name, (k, g) in rows.items()}


def detach(shifts):
    return {name: s.detach() for name, s in shifts.items()}


def accumulate(model, shifts):
    """Backpropagates <dLoss/dW, shift> into the hypernetwork: the loss's gradient, the solve's and the network's."""
    sum((weight_gradient(model, name).detach() * s).sum() for name, s in shifts.items()).backward()


def backward_l2(model, original, coefficient):
    """coefficient * sum over edited modules of |W - W0|^2, over all edits that the model carries."""
    (coefficient * sum(((module(model, n).weight - w) ** 2).sum() for n, w in original.items())).backward()


# ---------------------------------------------------------------- meta-training

def train(method, model, names, networks, slots, batches, config, log=lambda **_: None):
    """One pass over `batches`. The model keeps the edits of a sequence (EMSEdit sequential, RLEdit) or is left as it was."""
    params = parameters(networks)
    adam = torch.optim.Adam(params, config["meta_lr"])
    original = {n: module(model, n).weight.detach().clone() for n in names}
    clip = lambda p: nn.utils.clip_grad_norm_(p, config["max_grad_norm"])
    history = []
    for number, batch in enumerate(batches):
        if method == "emsedit_sequential":
            shifts = {}
            for step in range(config["steps"]):                     # multi-step backpropagation on the edited model
                rows = capture_and_observe(model, names, networks, slots, step, batch["edit"])
                shifts[step] = predict(method, networks, slots, step, rows, config)
                add_shift(model, detach(shifts[step]))
            loss = 0.0
            for micro in batch["equiv"]:
                part = answer_loss(model, micro)
                part.backward()
                loss += part.item()
            backward_l2(model, original, config["reg"])
            for step in range(config["steps"]):                     # the same dLoss/dW reaches every step's shift
                accumulate(model, shifts[step])
                clip(params)                                        # clips the gradient accumulated so far
            model.zero_grad()
            log(number=number, gen_loss=loss)
        elif method in ("emsedit_batch", "malmen", "mend"):
            for step in range(config["steps"]):
                rows = capture_and_observe(model, names, networks, slots, step, batch["edit"])
                shifts = predict(method, networks, slots, step, rows, config)
                values = detach(shifts)
                loss = kl = 0.0
                add_shift(model, values)
                for micro in batch["equiv"]:
                    part = answer_loss(model, micro)
                    part.backward()
                    loss += part.item() / len(batch["equiv"])       # reported as a mean, backpropagated as a sum
                if method == "emsedit_batch":
                    backward_l2(model, original, config["reg"])
                add_shift(model, values, -1)
                if method != "emsedit_batch":
                    for micro in batch["unrel"]:
                        with torch.no_grad():
                            reference = logits(model, micro)
                        add_shift(model, values)
                        part = answer_kl(model, micro, reference)
                        (config["loc_coef"] * part).backward()
                        add_shift(model, values, -1)
                        kl += part.item() / len(batch["unrel"])
                if method == "mend":
                    adam.zero_grad()
                accumulate(model, shifts)
                model.zero_grad()
                clip(list({id(p): p for net in networks[step].values() for p in net.parameters()}.values()))
                adam.step()
                adam.zero_grad()
                log(number=number, step=step, gen_loss=loss, loc_loss=kl)
        elif method == "rledit":
            history.append(batch)
            window = list(reversed(history))[:config["back_depth"]]
            shifts = {}
            for step in range(config["steps"]):
                rows = capture_and_observe(model, names, networks, slots, step, batch["edit"])
                shifts[step] = predict(method, networks, slots, step, rows, config)
                model.zero_grad()
                values = detach(shifts[step])
                add_shift(model, values)
                loss = kl = 0.0
                for age, past in enumerate(window):
                    for micro in past["equiv"]:
                        part = answer_loss(model, micro) * config["time_decay"] ** age
                        part.backward()
                        loss += part.item()
                add_shift(model, values, -1)
                for age, past in enumerate(window):
                    for micro in past["unrel"]:
                        with torch.no_grad():
                            reference = logits(model, micro)
                        add_shift(model, values)
                        part = config["loc_coef"] * answer_kl(model, micro, reference) * config["time_decay"] ** age
                        part.backward()
                        add_shift(model, values, -1)
                        kl += part.item()
                add_shift(model, values)
            for step in range(config["steps"]):
                accumulate(model, shifts[step])
                clip(params)
            model.zero_grad()
            log(number=number, gen_loss=loss, loc_loss=kl)
        else:
            raise ValueError(method)
    if method in ("emsedit_sequential", "rledit"):                  # one update for the whole sequence
        adam.step()
        adam.zero_grad()
    return adam


# ---------------------------------------------------------------- editors that are loops of their own over the edits

def sequences(batch):
    """The sequences of an edit batch's edits, each a micro-batch of its own without padding, in their order."""
    return [unpadded(micro, row) for micro in batch["edit"] for row in range(len(micro["input_ids"]))]


def unpadded(micro, row):
    count = int(micro["attention_mask"][row].sum())
    return {key: value[row : row + 1, :count] for key, value in micro.items()}


def fine_tune(model, names, edits, config, projections=None):
    """All edits in one mini-batch: the mean of their mean cross entropies and regularization * sum of |W - W0|^2, by Adam, until it is below stop_loss."""
    weights = [module(model, name).weight for name in names]
    original = config["original"]
    adam = torch.optim.Adam(weights, config["learning_rate"])
    for _ in range(config["epochs"]):
        loss = sum(answer_loss(model, one) for one in edits) / len(edits)
        if loss.item() < config["stop_loss"]:
            break
        adam.zero_grad()
        loss.backward()
        if projections:
            for weight, (keys, values, mask), name in zip(weights, projections, names):
                turned = isinstance(module(model, name), Conv1D)
                gradient = weight.grad.T if turned else weight.grad             # [valueSize, keySize]
                gradient = values @ ((values.T @ gradient @ keys) * mask) @ keys.T
                weight.grad.copy_(gradient.T if turned else gradient)
        for weight, before in zip(weights, original):
            weight.grad += 2 * config["regularization"] * (weight.detach() - before)
        adam.step()
    model.zero_grad()


def curvature_projections(model, names, text, share, seed):
    """Of each module the eigenvectors of E[a a^T] and of E[g g^T], as columns, and where the products of their eigenvalues are not among the largest.

    These hold `share` of the sum of all. g: gradients of the cross entropy of tokens drawn from the model's own predictions, by the numbers of `uniform`.
    """
    moments = {name: [torch.zeros(n, n) for n in shape(module(model, name))] for name in names}
    drawn = 0
    for one in text:
        keys, handles = {}, []
        for name in names:
            def hook(_, inputs, output, name=name, keys=keys):
                keys[name] = inputs[0][0].detach()
                output.register_hook(lambda g, name=name: moments[name].__setitem__(1, moments[name][1] + g[0].T @ g[0]))
            handles.append(module(model, name).register_forward_hook(hook))
        rows = one["labels"][0] != -100
        predictions = logits(model, one)[0][rows]
        numbers = torch.tensor([uniform(seed, CURVATURE, drawn + i) for i in range(int(rows.sum()))], dtype=torch.float64)
        drawn += len(numbers)
        tokens = (predictions.detach().double().softmax(-1).cumsum(-1) <= numbers[:, None]).sum(-1)
        F.cross_entropy(predictions, tokens, reduction="sum").backward()
        for handle in handles:
            handle.remove()
        model.zero_grad()
        for name in names:
            moments[name][0] += keys[name].T @ keys[name]
    result = []
    for name in names:
        (of_keys, keys), (of_values, values) = (torch.linalg.eigh(moment) for moment in moments[name])
        products = of_values.clamp(min=0)[:, None] * of_keys.clamp(min=0)[None, :]
        largest = products.flatten().double().sort(descending=True).values
        cut = largest[int((largest.cumsum(0) < share * largest.sum()).sum())]
        result.append((keys, values, products < cut))
    return result


def output_offset(model, name, place, delta):
    """Adds delta to the output of a module at one place of a sequence; returns the hook."""
    def hook(_, inputs, output):
        added = torch.zeros_like(output)
        added[0, place] = 1
        return output + added * delta
    return module(model, name).register_forward_hook(hook)


def value_loss(model, name, edit, delta, reference, config):
    """Of an edit with delta added to what the last module writes at its subject: over its prompts, and of what its subject is said to be."""
    def with_offset(one, function):
        handle = output_offset(model, name, one["place"], delta)
        result = function(model, one)
        handle.remove()
        return result
    loss = sum(with_offset(one, answer_loss) for one in edit["prompts"]) / len(edit["prompts"])
    return loss + config["essence_weight"] * with_offset(edit["essence"], lambda m, one: answer_kl(m, one, reference))


def written(model, name, one, hidden_above):
    """What the module's layer hands on at the sequence's place; where that is normed first, the module's output."""
    found = {}
    handle = module(model, hidden_above or name).register_forward_hook(lambda _, inputs, output: found.update(rows=output))
    with torch.no_grad():
        logits(model, one)
    handle.remove()
    rows = found["rows"][0] if isinstance(found["rows"], tuple) else found["rows"]
    return rows.reshape(-1, rows.shape[-1])[one["place"]].detach()


def module_keys(model, names, one):
    """The inputs of modules at all tokens of a sequence."""
    keys, handles = {}, []
    for name in names:
        handles.append(module(model, name).register_forward_hook(lambda _, inputs, output, name=name: keys.__setitem__(name, inputs[0][0].detach())))
    with torch.no_grad():
        logits(model, one)
    for handle in handles:
        handle.remove()
    return keys


def backgrounds(model, names, text, weight, share):
    """Of each module I + weight * C, C the mean of k k^T over plain text; and C's largest eigenvectors (columns) that hold `share` of its trace.

    Keys longer than three times the median are shortened to that.
    """
    rows = [module_keys(model, names, one) for one in text]
    result = {}
    for name in names:
        keys = torch.cat([one[name] for one in rows])
        lengths = keys.norm(dim=1)
        longest = 3 * lengths.sort().values[len(lengths) // 2]
        keys = keys * (longest / lengths).clamp(max=1)[:, None]
        moment = keys.T @ keys / len(keys)
        values, vectors = torch.linalg.eigh(moment)
        count = 0
        while share > 0 and values[len(values) - count :].clamp(min=0).sum() < share * values.clamp(min=0).sum():
            count += 1
        result[name] = (torch.eye(len(moment)) + weight * moment, vectors[:, len(values) - count :])
    return result


def value_edit(model, names, edits, held, config, hidden_above=None):
    """One batch of MEMIT or AlphaEdit: values at the subjects by Adam, then each module from below makes an equal share of what is lacking.

    `held`: backgrounds by module, to which the edits' keys are added.
    """
    last, targets = names[-1], []
    for edit in edits:
        start = written(model, last, edit["prompts"][0], hidden_above)
        with torch.no_grad():
            reference = logits(model, edit["essence"])
        delta, length = torch.zeros_like(start, requires_grad=True), start.norm()
        adam = torch.optim.Adam([delta], config["value_rate"])
        for _ in range(config["value_steps"]):
            loss = value_loss(model, last, edit, delta, reference, config)
            size = delta.norm() if float(delta.detach().abs().sum()) > 0 else torch.tensor(0.0)
            loss = loss + config["value_decay"] * size / length ** 2
            if loss.item() < config["stop_loss"]:
                break
            adam.zero_grad()
            loss.backward()
            adam.step()
            with torch.no_grad():
                if delta.norm() > config["value_bound"] * length:
                    delta *= config["value_bound"] * length / delta.norm()
        model.zero_grad()
        targets.append(start + delta.detach())
    for index, name in enumerate(names):
        keys = torch.stack([torch.stack([module_keys(model, [name], one)[name][one["place"]] for one in edit["prompts"]]).mean(0) for edit in edits])
        lacking = torch.stack([target - written(model, last, edit["prompts"][0], hidden_above) for target, edit in zip(targets, edits)])
        lacking /= len(names) - index
        moment, directions = held[name]
        free = directions.shape[1]
        basis = torch.linalg.svd(directions, full_matrices=True)[0][:, free:] if free else torch.eye(len(moment))
        turned = keys @ basis
        shift = basis @ torch.linalg.solve(turned.T @ turned + config["ridge"] * basis.T @ moment @ basis, turned.T @ lacking)
        add_shift(model, {name: shift})
        held[name] = (moment + config["earlier_weight"] * keys.T @ keys, directions)


CURVATURE = 9                                                       # what these random numbers are for


def uniform(seed, purpose, counter):
    """Philox 4x32-10 (Salmon et al., SC 2011): the first word of a block, as a number from 0 to less than 1."""
    mask = 0xFFFFFFFF
    x, k = [counter & mask, counter >> 32, purpose, 0], [seed & mask, seed >> 32]
    for _ in range(10):
        a, b = 0xD2511F53 * x[0], 0xCD9E8D57 * x[2]
        x = [(b >> 32) ^ x[1] ^ k[0], b & mask, (a >> 32) ^ x[3] ^ k[1], a & mask]
        k = [(k[0] + 0x9E3779B9) & mask, (k[1] + 0xBB67AE85) & mask]
    return x[0] / 2 ** 32


# ---------------------------------------------------------------- editing and scoring

def edit(method, model, names, networks, slots, batch, config):
    """Applies one edit batch: `steps` backpropagations, each on the model that the last one edited."""
    applied = []
    for step in range(config["steps"]):
        rows = capture_and_observe(model, names, networks, slots, step, batch["edit"])
        applied.append(detach(predict(method, networks, slots, step, rows, config)))
        add_shift(model, applied[-1])
    return applied


@torch.no_grad()
def token_accuracy(model, batch):
    """Per sequence: the share of answer tokens that are the model's most likely next token."""
    labels = batch["labels"]
    return ((logits(model, batch).argmax(-1) == labels).sum(-1) / (labels != -100).sum(-1)).tolist()


@torch.no_grad()
def answer_log_probability(model, batch):
    """Per sequence: the mean log probability of its answer tokens."""
    labels, rows = batch["labels"], batch["labels"] != -100
    lp = logits(model, batch).log_softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    return ((lp * rows).sum(-1) / rows.sum(-1)).tolist()
