#include "random.h"

#include <string.h>

#include "variants.h"

#pragma STDC FP_CONTRACT OFF  // the bits must not depend on the processor
#pragma clang diagnostic ignored "-Wpsabi"  // vectors are only ever passed to functions that are inlined
#define INLINED static inline __attribute__((always_inline))

enum { BLOCKS = 8 };  // computed together
typedef int32_t int_t __attribute__((vector_size(BLOCKS * 4)));
typedef uint64_t long_t __attribute__((vector_size(BLOCKS * 8)));
typedef int64_t signed_t __attribute__((vector_size(BLOCKS * 8)));
typedef double number_t __attribute__((vector_size(BLOCKS * 8)));
typedef float single_t __attribute__((vector_size(BLOCKS * 4), aligned(4)));

typedef struct {
    long_t x[4];  // 32 bits each
} words_t;

INLINED words_t philox(const uint32_t key[2], const uint32_t stream[2], uint64_t first) {
    const long_t counter = first + (long_t){0, 1, 2, 3, 4, 5, 6, 7};
    long_t x0 = counter & 0xFFFFFFFF, x1 = counter >> 32, x2 = (long_t){0} + stream[0], x3 = (long_t){0} + stream[1];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        const long_t a = x0 * 0xD2511F53, b = x2 * 0xCD9E8D57;
        x0 = (b >> 32) ^ x1 ^ k0;
        x1 = b & 0xFFFFFFFF;
        x2 = (a >> 32) ^ x3 ^ k1;
        x3 = a & 0xFFFFFFFF;
        k0 += 0x9E3779B9;
        k1 += 0xBB67AE85;
    }
    return (words_t){{x0, x1, x2, x3}};
}

// 2^52 + word is a double whose last 32 bits are the word.
INLINED number_t from_word(long_t word) { return (number_t)(word | 0x4330000000000000) - 0x1p52; }

INLINED number_t chosen(signed_t condition, number_t yes, number_t no) {
    return (number_t)((condition & (signed_t)yes) | (~condition & (signed_t)no));
}

// log x of a positive normal number: fdlibm's e_log.c (Sun Microsystems, 1993), to within one unit in the last place.
INLINED number_t logarithm(number_t x) {
    // x = 2^k (1 + f) with sqrt(1/2) < 1 + f < sqrt(2): adding moves the border between exponents there.
    const long_t shifted = (long_t)x + (0x3FF0000000000000 - 0x3FE6A09E667F3BCD);
    const number_t k = __builtin_convertvector(__builtin_convertvector(shifted >> 52, int_t) - 1023, number_t);
    const number_t f = (number_t)((shifted & 0x000FFFFFFFFFFFFF) + 0x3FE6A09E667F3BCD) - 1;
    const number_t s = f / (2 + f), z = s * s, w = z * z, half_square = 0.5 * f * f;
    const number_t even = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
    const number_t odd = z * (6.666666666666735130e-01 + w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
    return k * 6.93147180369123816490e-01 - ((half_square - (s * (half_square + (even + odd)) + k * 1.90821492927058770002e-10)) - f);
}

// sin and cos of 0 < x < 2π: fdlibm's reduction to |r + tail| < π/4, k_sin.c and k_cos.c.
INLINED void circle(number_t x, number_t *sine, number_t *cosine) {
    const int_t quarters = __builtin_convertvector(x * 6.36619772367581382433e-01 + 0.5, int_t);
    const number_t q = __builtin_convertvector(quarters, number_t);
    const signed_t quadrant = __builtin_convertvector(quarters, signed_t);
    const number_t first = x - q * 1.57079632673412561417e+00, rest = q * 6.07710050650619224932e-11;  // π/2: 33 bits, and what follows
    const number_t r = first - rest, tail = (first - r) - rest;
    const number_t z = r * r, v = z * r;
    const number_t ps = 8.33333333332248946124e-03
        + z * (-1.98412698298579493134e-04 + z * (2.75573137070700676789e-06 + z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10)));
    const number_t s = r - ((z * (0.5 * tail - v * ps) - tail) - v * -1.66666666666666324348e-01);
    const number_t pc = z * (4.16666666666666019037e-02 + z * (-1.38888888888741095749e-03 + z * (2.48015872894767294178e-05
        + z * (-2.75573143513906633035e-07 + z * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11)))));
    const number_t half = 0.5 * z, w = 1 - half;
    const number_t c = w + (((1 - w) - half) + (z * pc - r * tail));
    const signed_t swaps = (quadrant & 1) != 0;
    *sine = chosen(swaps, c, s);
    *cosine = chosen(swaps, s, c);
    *sine = chosen((quadrant & 2) != 0, -*sine, *sine);
    *cosine = chosen(((quadrant + 1) & 2) != 0, -*cosine, *cosine);
}

INLINED void pair(long_t first, long_t second, single_t *a, single_t *b) {
    const double unit = 1.0 / 4294967296.0;
    const number_t radius = __builtin_elementwise_sqrt(-2 * logarithm((from_word(first) + 0.5) * unit));
    number_t sine, cosine;
    circle(6.283185307179586 * (from_word(second) + 0.5) * unit, &sine, &cosine);
    *a = __builtin_convertvector(radius * cosine, single_t);
    *b = __builtin_convertvector(radius * sine, single_t);
}

INLINED void fill(const uint32_t key[2], const uint32_t stream[2], uint64_t first, long count, float *out) {
    for (long done = 0; done < count; done += BLOCKS) {
        const words_t words = philox(key, stream, first + (uint64_t)done);
        single_t part[4];
        pair(words.x[0], words.x[1], &part[0], &part[1]);
        pair(words.x[2], words.x[3], &part[2], &part[3]);
        float blocks[BLOCKS][4];
        for (int i = 0; i < BLOCKS; i++)
            for (int j = 0; j < 4; j++) blocks[i][j] = part[j][i];
        memcpy(out + 4 * done, blocks, (size_t)(count - done < BLOCKS ? count - done : BLOCKS) * sizeof blocks[0]);
    }
}

#define ARGUMENTS const uint32_t key[2], const uint32_t stream[2], uint64_t first, long count, float *out

static void fill_portable(ARGUMENTS) { fill(key, stream, first, count, out); }
#if defined(__x86_64__)
__attribute__((target("avx2"))) static void fill_avx2(ARGUMENTS) { fill(key, stream, first, count, out); }
__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq"))) static void fill_avx512(ARGUMENTS) { fill(key, stream, first, count, out); }
#endif

void amend_philox_normals(ARGUMENTS) {
#if defined(__x86_64__)
    switch (amend_variant_index()) {
        case 0: break;
        case 1: fill_avx2(key, stream, first, count, out); return;
        default: fill_avx512(key, stream, first, count, out); return;
    }
#endif
    fill_portable(key, stream, first, count, out);
}
