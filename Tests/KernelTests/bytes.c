// dequantize.h and planes.h, which have one variant each: what is checked is the code that a compiler made for this processor. The values
// that dequantize.h decodes are recorded for the checksum alone.
#include "check.h"

#include <stdlib.h>

typedef struct {
    const char *name;
    long per_block, bytes;
    void (*decode)(const void *, long, float *);
} format;

static const format formats[] = {
    {"f32", 1, 4, amend_decode_f32},         {"f16", 1, 2, amend_decode_f16},      {"bf16", 1, 2, amend_decode_bf16},
    {"f64", 1, 8, amend_decode_f64},         {"q4_0", 32, 18, amend_decode_q4_0},  {"q4_1", 32, 20, amend_decode_q4_1},
    {"q5_0", 32, 22, amend_decode_q5_0},     {"q5_1", 32, 24, amend_decode_q5_1},  {"q8_0", 32, 34, amend_decode_q8_0},
    {"iq4_nl", 32, 18, amend_decode_iq4_nl}, {"q2_k", 256, 84, amend_decode_q2_k}, {"q3_k", 256, 110, amend_decode_q3_k},
    {"q4_k", 256, 144, amend_decode_q4_k},   {"q5_k", 256, 176, amend_decode_q5_k}, {"q6_k", 256, 210, amend_decode_q6_k},
    {"iq4_xs", 256, 136, amend_decode_iq4_xs},
};

static void decode(stream *s, outcome *o) {
    const format *f = &formats[draw_below(s, sizeof formats / sizeof *formats)];
    long blocks = f->per_block == 1 ? draw_size(s, 300) : 1 + draw_below(s, 4);
    uint8_t *data = room(blocks * f->bytes);
    for (long i = 0; i < blocks * f->bytes; i++) data[i] = (uint8_t)draw(s);
    float *out = blank(blocks * f->per_block);
    f->decode(data, blocks, out);
    record(o, out, blocks * f->per_block);
}

static void planes(stream *s, outcome *o) {
    long count = draw_size(s, 300), width = 1 + draw_below(s, 8);
    uint8_t *elements = room(count * width), *split = room(count * width), *joined = room(count * width), *expected = room(count * width);
    for (long i = 0; i < count * width; i++) elements[i] = (uint8_t)draw(s);
    for (long i = 0; i < count; i++)
        for (long p = 0; p < width; p++) expected[p * count + i] = elements[i * width + p];
    amend_planes_split(elements, (size_t)count, (size_t)width, split);
    amend_planes_join(split, (size_t)count, (size_t)width, joined);
    expect_bytes(o, split, expected, count * width);
    expect_bytes(o, joined, elements, count * width);
}

static void bytes_xor(stream *s, outcome *o) {
    long count = draw_size(s, 1000);
    uint8_t *x = room(count), *y = room(count), *expected = room(count);
    for (long i = 0; i < count; i++) {
        x[i] = (uint8_t)draw(s);
        y[i] = (uint8_t)draw(s);
        expected[i] = x[i] ^ y[i];
    }
    amend_bytes_xor(x, (size_t)count, y);
    expect_bytes(o, y, expected, count);
}

const kernel_check byte_checks[] = {{"decode", decode, 1}, {"planes", planes, 1}, {"bytes_xor", bytes_xor, 1}, {NULL, NULL, 0}};
