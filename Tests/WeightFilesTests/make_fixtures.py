"""Makes Fixtures/types.gguf, a tensor of every type that WeightFiles decodes, and Fixtures/types-expected.safetensors,
the floats that the Python package gguf (which follows ggml) gets from it. Needs gguf 0.19, numpy, safetensors.

    python make_fixtures.py        # the same bytes every time

A quantised tensor is [2, 256]: row 0 holds normal numbers quantised by gguf where it can, row 1 (and row 0 where it
cannot) random bytes under random scales, among them negative and subnormal ones, so that every code occurs."""

import os

import numpy as np
from gguf import GGML_QUANT_SIZES, GGUFWriter
from gguf import GGMLQuantizationType as Type
from gguf.quants import dequantize, quantize
from safetensors.numpy import save_file

DIRECTORY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Fixtures")
COLUMNS = 256

# Where a block keeps its float16 scales and offsets, in bytes.
HALVES = {
    Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0], Type.IQ4_NL: [0],
    Type.Q2_K: [80, 82], Type.Q3_K: [108], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208], Type.IQ4_XS: [0],
}


def random_row(rng, kind):
    elements, size = GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (COLUMNS // elements, size), dtype=np.uint8)
    for position in HALVES[kind]:
        halves = rng.normal(0, 0.02, len(blocks)).astype(np.float16)
        halves[0] = np.float16(-3e-6)  # subnormal
        blocks[:, position : position + 2] = halves.reshape(-1, 1).view(np.uint8)
    return blocks.reshape(-1)


def quantised(rng, kind):
    try:
        first = quantize(rng.normal(0, 1, COLUMNS).astype(np.float32), kind)
    except NotImplementedError:
        first = random_row(rng, kind)
    return np.stack([first, random_row(rng, kind)])


def float16(rng):
    values = rng.normal(0, 1, (2, COLUMNS)).astype(np.float16)
    values.view(np.uint16)[0, :10] = [0, 0x8000, 1, 0x8001, 0x03FF, 0x0400, 0x7BFF, 0x7C00, 0xFC00, 0x7E01]
    return values


def main():
    rng = np.random.default_rng(20240611)
    writer = GGUFWriter(os.path.join(DIRECTORY, "types.gguf"), "fixture")
    writer.add_custom_alignment(64)
    writer.add_int8("fixture.i8", -5)
    writer.add_uint64("fixture.u64", 2**63 + 1)
    writer.add_float32("fixture.f32", 0.1)
    writer.add_float64("fixture.f64", 0.1)
    writer.add_bool("fixture.bool", True)
    writer.add_string("fixture.string", "naïve Ġ 🜁")
    writer.add_array("fixture.strings", ["", "a", "Ġthe"])
    writer.add_array("fixture.integers", [1, -2, 3])
    writer.add_array("fixture.floats", [0.5, -1.5])
    writer.add_array("fixture.bools", [True, False])

    expected = {}

    def add(kind, stored, floats):
        writer.add_tensor(kind.name, stored, raw_dtype=kind)
        expected[kind.name] = np.ascontiguousarray(floats, dtype=np.float32)

    plain = rng.normal(0, 1, (2, 3, 5)).astype(np.float32)
    add(Type.F32, plain, plain)
    doubles = rng.normal(0, 1, (3, 7))
    add(Type.F64, doubles, doubles)
    halves = float16(rng)
    add(Type.F16, halves, dequantize(halves, Type.F16))
    uppers = quantize(rng.normal(0, 1, (2, COLUMNS)).astype(np.float32), Type.BF16)
    add(Type.BF16, uppers, dequantize(uppers, Type.BF16))
    for kind in HALVES:
        stored = quantised(rng, kind)
        add(kind, stored, dequantize(stored, kind))

    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(expected, os.path.join(DIRECTORY, "types-expected.safetensors"), metadata={"made by": "make_fixtures.py"})


main()
