// gemm.h: products against the chain of multiply-adds that the header fixes, and widening against dequantize.h.
#include "check.h"

#include <float.h>

#pragma STDC FP_CONTRACT OFF

typedef struct {
    long per_block, bytes;  // elements and bytes of a block
    void (*decode)(const void *, long, float *);
} format;

static const format formats[] = {
    [AMEND_F32] = {1, 4, amend_decode_f32},     [AMEND_F16] = {1, 2, amend_decode_f16},     [AMEND_BF16] = {1, 2, amend_decode_bf16},
    [AMEND_Q4_0] = {32, 18, amend_decode_q4_0}, [AMEND_Q4_1] = {32, 20, amend_decode_q4_1}, [AMEND_Q5_0] = {32, 22, amend_decode_q5_0},
    [AMEND_Q5_1] = {32, 24, amend_decode_q5_1}, [AMEND_Q8_0] = {32, 34, amend_decode_q8_0},
};
enum { FORMATS = sizeof formats / sizeof *formats };

static uint16_t draw_half(stream *s) {  // between 2^-12 and 8
    return (uint16_t)((draw(s) & 0x83ff) | (uint64_t)(3 + draw_below(s, 15)) << 10);
}

// `count` elements (whole blocks) as a file stores them; `wild`: any bits.
static uint8_t *draw_stored(stream *s, amend_element element, long count, float scale, int wild) {
    const format *f = &formats[element];
    long blocks = count / f->per_block, bytes = blocks * f->bytes;
    uint8_t *data = room(bytes);
    for (long i = 0; i < bytes; i++) data[i] = (uint8_t)draw(s);
    if (wild) return data;
    for (long i = 0; i < blocks; i++) {
        uint16_t half = draw_half(s);
        if (element == AMEND_F32) {
            float x = draw_number(s, scale);
            memcpy(data + 4 * i, &x, 4);
        } else if (element == AMEND_BF16) {
            float x = draw_number(s, scale);
            memcpy(data + 2 * i, (char *)&x + 2, 2);  // its upper half
        } else memcpy(data + i * f->bytes, &half, 2);
        if (element == AMEND_Q4_1 || element == AMEND_Q5_1) {
            half = draw_half(s);
            memcpy(data + i * f->bytes + 2, &half, 2);
        }
    }
    return data;
}

static long whole_blocks(long count) { return (count + 31) / 32 * 32; }

typedef struct {
    amend_operand operand;
    float *values;  // [rows, columns], decoded and with the addend
} matrix;

static matrix draw_matrix(stream *s, long rows, long columns, amend_element element, int has_addend, float scale) {
    int transposed = draw(s) % 2, is_block = formats[element].per_block > 1;
    long outer = transposed ? columns : rows, inner = transposed ? rows : columns;
    long stride = inner + draw_below(s, 3) * draw_below(s, 5);
    if (is_block) stride = whole_blocks(stride);
    long count = (outer - 1) * stride + inner;
    if (is_block) count = whole_blocks(count);
    uint8_t *data = draw_stored(s, element, count, scale, 0);
    float *decoded = blank(count), *addend = has_addend ? numbers(s, (outer - 1) * stride + inner, scale) : NULL;
    formats[element].decode(data, count / formats[element].per_block, decoded);
    matrix m = {{data, transposed ? 1 : stride, transposed ? stride : 1, element, addend}, blank(rows * columns)};
    for (long i = 0; i < rows; i++)
        for (long j = 0; j < columns; j++) {
            long place = i * m.operand.row_stride + j * m.operand.column_stride;
            m.values[i * columns + j] = addend ? decoded[place] + addend[place] : decoded[place];
        }
    return m;
}

typedef struct {
    matrix b;
    long n, stride;
    float *before, *c;
    int accumulate;
} product;

// Stores what `values` holds, where that is float32 without addend.
static void set_matrix(matrix *m, long rows, long columns) {
    for (long i = 0; i < rows; i++)
        for (long j = 0; j < columns; j++)
            ((float *)m->operand.data)[i * m->operand.row_stride + j * m->operand.column_stride] = m->values[i * columns + j];
}

static product draw_product(stream *s, long m, long n, long k, float scale, amend_element element, int has_addend) {
    product p = {.n = n, .stride = n + draw_below(s, 2) * draw_below(s, 7), .accumulate = draw(s) % 2};
    p.b = draw_matrix(s, k, n, element, has_addend, scale);
    p.before = numbers(s, (m - 1) * p.stride + n, scale);
    p.c = copy(p.before, (m - 1) * p.stride + n);
    return p;
}

static product draw_any_product(stream *s, long m, long n, long k, float scale) {
    const amend_element element = (amend_element)draw_below(s, FORMATS);
    return draw_product(s, m, n, k, scale, element, draw(s) % 4 == 0);
}

// To nearest, ties to even; subnormal numbers to zero; what is not a number stays none.
static float rounded_to_bf16(float x) {
    uint32_t bits, unit = 0x10000;
    memcpy(&bits, &x, 4);
    uint32_t rest = bits % unit, upper = bits - rest;
    if (rest > unit / 2 || (rest == unit / 2 && upper / unit % 2)) upper += unit;
    if ((bits & 0x7f800000) == 0) upper = bits & 0x80000000;
    if (x != x) upper = 0x7fc00000;
    memcpy(&x, &upper, 4);
    return x;
}

static void round_to_bf16(float *x, long count) {
    for (long i = 0; i < count; i++) x[i] = rounded_to_bf16(x[i]);
}

// What a processor that flushes subnormal numbers makes of x, which it has rounded as if exponents had no end.
static float flushed(float x) { return fabsf(x) < FLT_MIN ? copysignf(0, x) : x; }

// A fused multiply-add of flushed numbers. fmaf rounds a subnormal result to fewer digits, and that may make the smallest normal number of it.
static float flushed_multiply_add(const outcome *o, float a, float b, float c) {
    a = flushed(a), b = flushed(b), c = flushed(c);
    if (!is_fused(o)) return flushed(flushed(a * b) + c);
    const float result = fmaf(a, b, c), up = 0x1p64f;
    if (result == 0 || !(fabsf(result) <= FLT_MIN)) return result;
    const float scaled = fabsf(a) < fabsf(b) ? fmaf(a * up, b, c * up) : fmaf(a, b * up, c * up);
    return fabsf(scaled) < FLT_MIN * up ? copysignf(0, result) : result;
}

// One element of AMEND_ARITHMETIC_BF16_TILES onto c, term by term as gemm.h has it. `a` and `b` are rounded, b's terms `stride` apart.
static float sum_of_tiles(const outcome *o, const float *a, const float *b, long stride, long k, float c) {
    for (long first = 0; first < k; first += 32) {
        float chains[2] = {0, 0};
        for (long t = first; t < first + 32; t++) {
            float *chain = &chains[t % 2];
            *chain = flushed_multiply_add(o, t < k ? a[t] : 0, t < k ? b[t * stride] : 0, *chain);
        }
        c = flushed(flushed(c) + flushed(chains[0] + chains[1]));
    }
    return c;
}

static void check_tiles(outcome *o, long m, long k, float *a, const product *p) {
    long count = (m - 1) * p->stride + p->n;
    if (!wants_reference(o)) {
        record(o, p->c, count);
        return;
    }
    float *c = copy(p->before, count);
    round_to_bf16(a, m * k);
    round_to_bf16(p->b.values, k * p->n);
    for (long i = 0; i < m; i++)
        for (long j = 0; j < p->n; j++) {
            float *element = c + i * p->stride + j;
            *element = sum_of_tiles(o, a + i * k, p->b.values + j, p->n, k, p->accumulate ? *element : 0);
        }
    expect_bits(o, p->c, c, count);
}

// Blocks of k of equal length, a multiple of 8 and at most 256: within each a chain from zero, then added up. With bfloat16 the chain takes the
// odd term of each pair before the even one.
static void check_product(outcome *o, amend_arithmetic arithmetic, long m, long k, float *a, const product *p) {
    if (arithmetic == AMEND_ARITHMETIC_BF16_TILES) {
        check_tiles(o, m, k, a, p);
        return;
    }
    long count = (m - 1) * p->stride + p->n;
    if (!wants_reference(o)) {
        record(o, p->c, count);
        return;
    }
    long blocks = (k + 255) / 256, block = blocks ? ((k + blocks - 1) / blocks + 7) / 8 * 8 : 8;
    float *c = copy(p->before, count), *sum = blank(p->n);
    if (arithmetic == AMEND_ARITHMETIC_BF16) {
        round_to_bf16(a, m * k);
        round_to_bf16(p->b.values, k * p->n);
    }
    for (long i = 0; i < m; i++) {
        float *row = c + i * p->stride;
        if (!p->accumulate && k == 0) memset(row, 0, (size_t)p->n * 4);
        for (long first = 0; first < k; first += block) {
            memset(sum, 0, (size_t)p->n * 4);
            for (long u = first; u < first + block && u < k; u++) {
                long t = u;
                if (arithmetic == AMEND_ARITHMETIC_BF16 && (u ^ 1) < k) t = u ^ 1;
                for (long j = 0; j < p->n; j++) sum[j] = multiply_add(o, a[i * k + t], p->b.values[t * p->n + j], sum[j]);
            }
            for (long j = 0; j < p->n; j++) row[j] = p->accumulate || first > 0 ? row[j] + sum[j] : sum[j];
        }
    }
    expect_bits(o, p->c, c, count);
}

static void draw_shape(stream *s, long *m, long *n, long *k) {
    *m = draw_size(s, 40), *n = draw_size(s, 120), *k = draw_size(s, 300);
    switch (draw(s) % 16) {  // now and then what crosses the borders of blocking, which lie further out
        case 0: *m = 950 + draw_below(s, 300), *n = 1 + draw_below(s, 20), *k = 1 + draw_below(s, 20); break;
        case 1: *m = 1 + draw_below(s, 4), *n = 500 + draw_below(s, 600), *k = 1 + draw_below(s, 30); break;
        case 2: *m = 1 + draw_below(s, 8), *n = 1 + draw_below(s, 40), *k = 500 + draw_below(s, 400); break;
        case 3: *k = 0; break;
    }
}

static float draw_scale(stream *s, amend_arithmetic arithmetic) {
    static const float scales[] = {1, 1, 0.02f, 1e5f, 1e-20f};  // products of the last are subnormal: with pairs of bfloat16 of no promised bits
    return scales[draw(s) % (arithmetic == AMEND_ARITHMETIC_BF16 ? 4 : 5)];
}

// Now and then terms of which tiles take several pieces of a panel, and with many rows read the left side in several passes.
static void draw_many_terms(stream *s, amend_arithmetic arithmetic, long *m, long *n, long *k) {
    if (arithmetic != AMEND_ARITHMETIC_BF16_TILES || draw(s) % 8) return;
    *m = 1 + draw_below(s, 70), *n = 1 + draw_below(s, 70), *k = 500 + draw_below(s, 1100);
    if (draw(s) % 2) *m += 450, *n = 1 + draw_below(s, 40), *k += 1100;
}

static void start_threads(stream *s) {
    int threads = 1 + (int)draw_below(s, 3);
    if (threads != amend_pool_threads()) amend_pool_start(threads);
}

static void one_product(stream *s, outcome *o, amend_arithmetic arithmetic) {
    long m, n, k;
    draw_shape(s, &m, &n, &k);
    draw_many_terms(s, arithmetic, &m, &n, &k);
    start_threads(s);
    float scale = draw_scale(s, arithmetic);
    matrix a = draw_matrix(s, m, k > 0 ? k : 1, AMEND_F32, 0, scale);
    product p = draw_any_product(s, m, n, k > 0 ? k : 1, scale);
    double before = amend_gemm_operations();
    amend_gemm(arithmetic, m, n, k, a.operand, p.b.operand, p.c, p.stride, p.accumulate);
    float operations = (float)(amend_gemm_operations() - before), expected = 2 * (float)(m * n * k);
    expect_bits(o, &operations, &expected, 1);
    check_product(o, arithmetic, m, k, a.values, &p);
}

static void several_products(stream *s, outcome *o, amend_arithmetic arithmetic) {
    long m, n, k;
    draw_shape(s, &m, &n, &k);
    k = k > 0 ? k : 1;
    start_threads(s);
    matrix a = draw_matrix(s, m, k, AMEND_F32, 0, 1);
    int count = 1 + (int)draw_below(s, AMEND_MOST_TARGETS);
    product products[AMEND_MOST_TARGETS];
    amend_target targets[AMEND_MOST_TARGETS];
    for (int t = 0; t < count; t++) {
        products[t] = draw_any_product(s, m, t ? draw_size(s, 70) : n, k, 1);
        targets[t] = (amend_target){products[t].n, products[t].b.operand, products[t].c, products[t].stride, products[t].accumulate};
    }
    amend_gemm_many(arithmetic, m, k, a.operand, count, targets);
    for (int t = 0; t < count; t++) check_product(o, arithmetic, m, k, a.values, &products[t]);
}

static void gemm(stream *s, outcome *o) { one_product(s, o, AMEND_ARITHMETIC_F32); }
static void gemm_bf16(stream *s, outcome *o) { one_product(s, o, AMEND_ARITHMETIC_BF16); }
static void gemm_tiles(stream *s, outcome *o) { one_product(s, o, AMEND_ARITHMETIC_BF16_TILES); }
static void gemm_many_tiles(stream *s, outcome *o) { several_products(s, o, AMEND_ARITHMETIC_BF16_TILES); }

// A weight of bfloat16 in whole blocks of terms, whose tiles need not be packed.
static void gemm_tiles_of_a_weight(stream *s, outcome *o) {
    long m = 1 + draw_below(s, draw(s) % 2 ? 40 : 120), n = 1 + draw_below(s, 70), k = 32 * (1 + draw_below(s, draw(s) % 2 ? 8 : 70));
    start_threads(s);
    matrix a = draw_matrix(s, m, k, AMEND_F32, 0, 1);
    product p = draw_product(s, m, n, k, 1, AMEND_BF16, 0);
    amend_gemm(AMEND_ARITHMETIC_BF16_TILES, m, n, k, a.operand, p.b.operand, p.c, p.stride, p.accumulate);
    check_product(o, AMEND_ARITHMETIC_BF16_TILES, m, k, a.values, &p);
}

// Any bits, infinite numbers, NaN and subnormal ones among them; or numbers about the smallest normal one.
static void gemm_tiles_of_any_bits(stream *s, outcome *o) {
    long m, n, k, near_the_end = (long)(draw(s) % 2);
    draw_shape(s, &m, &n, &k);
    k = k > 0 ? k : 1;
    start_threads(s);
    matrix a = draw_matrix(s, m, k, AMEND_F32, 0, 1);
    product p = draw_product(s, m, n, k, 1, AMEND_F32, 0);
    float *sides[] = {a.values, p.b.values, p.before};
    const long counts[] = {m * k, k * n, (m - 1) * p.stride + n};
    for (int side = 0; side < 3; side++)
        for (long i = 0; i < counts[side]; i++) {
            uint32_t bits = (uint32_t)draw(s);
            if (near_the_end) bits = (bits & 0x807fffff) | (uint32_t)(side < 2 ? 56 + bits % 16 : bits % 6) << 23;
            memcpy(sides[side] + i, &bits, 4);
        }
    memcpy(p.c, p.before, (size_t)counts[2] * 4);
    set_matrix(&a, m, k);
    set_matrix(&p.b, k, n);
    amend_gemm(AMEND_ARITHMETIC_BF16_TILES, m, n, k, a.operand, p.b.operand, p.c, p.stride, p.accumulate);
    check_product(o, AMEND_ARITHMETIC_BF16_TILES, m, k, a.values, &p);
}

static void gemm_many(stream *s, outcome *o) { several_products(s, o, AMEND_ARITHMETIC_F32); }
static void gemm_many_bf16(stream *s, outcome *o) { several_products(s, o, AMEND_ARITHMETIC_BF16); }

// Any part of any bits.
static void widen(stream *s, outcome *o) {
    amend_element element = (amend_element)draw_below(s, FORMATS);
    long all = whole_blocks(draw_size(s, 1000)), first = draw_below(s, all), count = draw_below(s, all - first + 1);
    uint8_t *data = draw_stored(s, element, all, 1, 1);
    float *decoded = blank(all), *out = blank(count);
    formats[element].decode(data, all / formats[element].per_block, decoded);
    amend_widen(element, data, first, count, out);
    expect_bits(o, out, decoded + first, count);
}

const kernel_check product_checks[] = {
    {"gemm", gemm, 0}, {"gemm_bf16", gemm_bf16, 1}, {"gemm_many", gemm_many, 0}, {"gemm_many_bf16", gemm_many_bf16, 1}, {"widen", widen, 1},
    {"gemm_tiles", gemm_tiles, 0}, {"gemm_many_tiles", gemm_many_tiles, 0}, {"gemm_tiles_of_a_weight", gemm_tiles_of_a_weight, 0},
    {"gemm_tiles_of_any_bits", gemm_tiles_of_any_bits, 0},
    {NULL, NULL, 0},
};
