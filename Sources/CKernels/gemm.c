#include "gemm.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "allocation.h"
#include "pool.h"

// Terms of k summed in registers before they are added to c: a panel of b and one of a stay in the first-level cache.
enum { BLOCK = 256 };
// Floats between rows that are transposed, and between packed panels of b, whose lines stay aligned: at a stride of a power of two they
// would fall on one another in the caches.
enum { PADDING = 8, PANEL_PADDING = 16 };
// Panels of b packed together, at most. Where b lies by rows: enough to read long pieces of each, and few enough for the second-level cache
// and for threads to share. Where it is transposed as it is packed: fewer.
enum { GROUP = 8, GROUP_OF_TRANSPOSED = 4, MOST_TARGETS = AMEND_MOST_TARGETS };
// Rows of a packed at a time, and of these multiplied with one panel of b after another while they stay in the second-level
// cache. Multiples of every variant's ROWS.
enum { ROWS_AT_A_TIME = 960, ROWS_IN_CACHE = 240 };
// Narrow strips for each thread at the end of a product, and the rows from which on they pay: with fewer, packing takes most of the time.
enum { NARROW_STRIPS = 1, ROWS_FOR_NARROW = 48 };

typedef struct {
    long k, block;              // block: terms of k per pass, the same for every pass but the last
    long first_row, last_row;   // rows of a in packed_a
    long panels;                // of ROWS rows each
    long group, narrow;         // panels of b in a strip, the unit of work of a thread; and in one of the last strips
    amend_arithmetic arithmetic;
    amend_operand a;
    float *packed_a;
    int count;                  // of targets
    const amend_target *targets;
    const long *first_strips;   // of each target, and the end
    long narrow_panels;         // of the last target, at its end, in narrow strips
} product_t;

typedef struct {
    int target;
    long panel, panels;  // of the target: the first one, and how many
} strip_t;

typedef struct {
    long rows, width;
    void (*pack_a)(void *, long);
    void (*columns)(void *, long);
    void (*widen)(amend_element, const void *, long, const float *, long, float *);
} variant_t;

static inline long divided_up(long count, long by) { return (count + by - 1) / by; }

static inline int is_by_rows(const amend_operand *b) { return b->column_stride == 1 && b->row_stride != 1; }

// Strips are taken in order by whichever thread is free. The last ones are narrow, so that threads end at about the same time even
// where one core is slower than another.
static inline strip_t strip_of(const product_t *product, long index, long width) {
    strip_t strip = {0};
    while (index >= product->first_strips[strip.target + 1]) strip.target++;
    index -= product->first_strips[strip.target];
    const long panels = divided_up(product->targets[strip.target].n, width);
    const long in_wide = strip.target == product->count - 1 ? panels - product->narrow_panels : panels;
    const long wide = divided_up(in_wide, product->group);
    const long end = index < wide ? in_wide : panels, size = index < wide ? product->group : product->narrow;
    strip.panel = index < wide ? index * product->group : in_wide + (index - wide) * product->narrow;
    strip.panels = end - strip.panel < size ? end - strip.panel : size;
    return strip;
}

// Bytes of 32 elements.
static const long block_bytes[] = {[AMEND_F32] = 128, [AMEND_F16] = 64, [AMEND_BF16] = 64, [AMEND_Q4_0] = 18, [AMEND_Q4_1] = 20,
                                   [AMEND_Q5_0] = 22, [AMEND_Q5_1] = 24, [AMEND_Q8_0] = 34};

static inline long bytes_of(amend_element element, long count) { return count * block_bytes[element] / 32; }

typedef uint32_t __attribute__((may_alias)) loose_word_t;

// Terms that are packed for `count` of them, the last ones zeros.
static inline long padded(amend_arithmetic arithmetic, long count) {
    const long unit = arithmetic == AMEND_ARITHMETIC_F32 ? 1 : arithmetic == AMEND_ARITHMETIC_BF16 ? 2 : 32;
    return (count + unit - 1) / unit * unit;
}

// Has this thread flush subnormal numbers to zero, both operands and results, as matrix tiles do; returns what restore_rounding takes.
static inline unsigned long flush_subnormal_numbers(void) {
#if defined(__x86_64__)
    const unsigned before = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(before | 0x8040);
#elif defined(__aarch64__)
    unsigned long before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before | 1ul << 24));
#else
    const unsigned long before = 0;
#endif
    __asm__ volatile("" : : : "memory");
    return before;
}

static inline void restore_rounding(unsigned long before) {
    __asm__ volatile("" : : : "memory");
#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr((unsigned)before);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(before));
#else
    (void)before;
#endif
}

#pragma STDC FP_CONTRACT OFF  // what is fused is written as such: decoded blocks keep ggml's two roundings

#define VARIANT portable
#define LANES 4
#if defined(__aarch64__)  // which has 32 vector registers
#define ROWS 8
#define VECTORS 3
#else
#define ROWS 4
#define VECTORS 2
#endif
#if defined(__ARM_FEATURE_FMA) || defined(__FMA__)
#define FUSED 1
#else
#define FUSED 0
#endif
#define PAIRS 0
#include "gemm_variant.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#define VARIANT avx2
#define LANES 8
#define ROWS 6
#define VECTORS 2
#define FUSED 1
#define PAIRS 0
#include "gemm_variant.h"
#pragma clang attribute pop

#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma,f16c"))), apply_to = function)
#define VARIANT avx512
#define LANES 16
#define ROWS 12
#define VECTORS 2
#define FUSED 1
#define PAIRS 0
#include "gemm_variant.h"
#pragma clang attribute pop

#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512bf16,avx512f,avx512vl,avx512bw,avx512dq,avx2,fma,f16c"))), apply_to = function)
#define VARIANT avx512bf16
#define LANES 16
#define ROWS 12
#define VECTORS 2
#define FUSED 1
#define PAIRS 1
#include "gemm_variant.h"
#pragma clang attribute pop
#endif

#include "variants.h"

static const variant_t *variant(void) {
#if defined(__x86_64__)
    switch (amend_variant_index()) {
        case 3: case 4: return &gemm_variant_avx512bf16;
        case 2: return &gemm_variant_avx512;
        case 1: return &gemm_variant_avx2;
    }
#endif
    return &gemm_variant_portable;
}

amend_arithmetic amend_fastest_arithmetic(void) {
#if defined(__x86_64__)
    if (amend_variant_index() == 4) return AMEND_ARITHMETIC_BF16_TILES;
    if (amend_variant_index() == 3 && !__builtin_cpu_is("intel")) return AMEND_ARITHMETIC_BF16;
#endif
    return AMEND_ARITHMETIC_F32;
}

// The borders of the blocks of k: a function of k alone, so that results never depend on m, n or the processor. (Those of matrix tiles' arithmetic
// change no bit.)
static long block_of(amend_arithmetic arithmetic, long k) {
    if (arithmetic == AMEND_ARITHMETIC_BF16_TILES) return BLOCK;
    long blocks = divided_up(k, BLOCK);
    return blocks ? divided_up(divided_up(k, blocks), 8) * 8 : 8;
}

void amend_widen(amend_element element, const void *data, long first, long count, float *out) {
    variant()->widen(element, data, first, NULL, count, out);
}

static double operations;  // of products called from outside parallel loops; see gemm.h

double amend_gemm_operations(void) { return operations; }

static double bytes;

double amend_gemm_bytes(void) { return bytes; }

static double stored_bytes(amend_operand operand, double count) {
    return count * (block_bytes[operand.element] / 32.0 + (operand.addend ? sizeof(float) : 0));
}

static float *packing_space(size_t floats) {
    static _Thread_local float *space;
    static _Thread_local size_t capacity;
    if (capacity < floats) {
        free(space);
        space = aligned_alloc(64, (floats * sizeof(float) + 63) / 64 * 64);
        capacity = space ? floats : 0;
    }
    if (!space) amend_memory_failed(floats * sizeof(float), "packed rows of a matrix product");
    return space;
}

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("amx-tile,amx-bf16,avx512bf16,avx512f,avx512vl,avx512bw,avx512dq,avx2,fma,f16c"))), apply_to = function)
#include "gemm_tiles.h"
#pragma clang attribute pop
#endif

double amend_multiply_tiles(long times) {
#if defined(__x86_64__)
    if (amend_variant_index() == 4) return tiled_multiply_registers(times);
#endif
    (void)times;
    return 0;
}

void amend_gemm(amend_arithmetic arithmetic, long m, long n, long k, amend_operand a, amend_operand b, float *c, long c_stride, int accumulate) {
    amend_target target = {n, b, c, c_stride, accumulate};
    amend_gemm_many(arithmetic, m, k, a, 1, &target);
}

static int any_by_rows(int count, const amend_target *targets) {
    for (int t = 0; t < count; t++)
        if (is_by_rows(&targets[t].b)) return 1;
    return 0;
}

static long group_of(long panels, int count, const amend_target *targets) {
    long threads = amend_pool_threads(), group = GROUP_OF_TRANSPOSED;
    if (any_by_rows(count, targets)) {
        long strips = divided_up(divided_up(panels, GROUP), threads) * threads;
        return divided_up(panels, strips);
    }
    while (group > 1 && panels / group < 8 * threads) group /= 2;
    return group;
}

static void place_strips(product_t *product, long m, long width, long *first_strips) {
    const int count = product->count;
    const amend_target *targets = product->targets;
    for (int t = 0; t < count; t++) first_strips[t + 1] = first_strips[t] + divided_up(divided_up(targets[t].n, width), product->group);
    product->narrow = any_by_rows(count, targets) ? divided_up(32, width) : 1;  // of whole blocks of 32, where b is read along them
    if (product->narrow >= product->group || m < ROWS_FOR_NARROW || amend_pool_threads() == 1) return;
    const long panels = divided_up(targets[count - 1].n, width);
    const long wanted = divided_up(NARROW_STRIPS * amend_pool_threads() * product->narrow, product->group) * product->group;
    product->narrow_panels = panels < wanted + panels % product->group ? panels : wanted + panels % product->group;
    first_strips[count] = first_strips[count - 1] + (panels - product->narrow_panels) / product->group
                          + divided_up(product->narrow_panels, product->narrow);
}

void amend_gemm_many(amend_arithmetic arithmetic, long m, long k, amend_operand a, int count, const amend_target *targets) {
    const variant_t *v = variant();
    double stored = 0;  // bytes of the right sides
    long n = 0, panels = 0, first_strips[MOST_TARGETS + 1] = {0};
    for (int t = 0; t < count; t++) {
        n += targets[t].n;
        panels += divided_up(targets[t].n, v->width);
        stored += stored_bytes(targets[t].b, (double)targets[t].n * (double)k);
        if (k <= 0 && !targets[t].accumulate)
            for (long i = 0; i < m; i++) memset(targets[t].c + i * targets[t].c_stride, 0, (size_t)targets[t].n * sizeof(float));
    }
    if (m <= 0 || n <= 0 || k <= 0) return;
    operations += 2.0 * (double)m * (double)n * (double)k;
    bytes += stored + sizeof(float) * (double)m * (double)(n + k);
#if defined(__x86_64__)
    if (arithmetic == AMEND_ARITHMETIC_BF16_TILES && amend_variant_index() == 4) {
        for (int t = 0, next; t < count; t = next) {
            for (next = t + 1; next < count && is_by_rows(&targets[next].b) == is_by_rows(&targets[t].b);) next++;
            tiled_gemm(m, k, a, next - t, targets + t);
        }
        return;
    }
#endif
    product_t product = {.k = k, .block = block_of(arithmetic, k), .a = a, .count = count, .targets = targets, .first_strips = first_strips,
                         .arithmetic = arithmetic};
    product.group = group_of(panels, count, targets);
    place_strips(&product, m, v->width, first_strips);
    long strips = first_strips[count];
    for (long row = 0; row < m; row += ROWS_AT_A_TIME) {
        product.first_row = row;
        product.last_row = m - row < ROWS_AT_A_TIME ? m : row + ROWS_AT_A_TIME;
        product.panels = divided_up(product.last_row - row, v->rows);
        product.packed_a = packing_space((size_t)(product.panels * v->rows * padded(arithmetic, k)));
        if (2.0 * (double)(product.last_row - row) * n * k < 4e5) {  // shorter than waking a thread
            for (long i = 0; i < product.panels; i++) v->pack_a(&product, i);
            for (long i = 0; i < strips; i++) v->columns(&product, i);
        } else {
            amend_pool_run(product.panels, v->pack_a, &product);
            amend_pool_run(strips, v->columns, &product);
        }
    }
}
