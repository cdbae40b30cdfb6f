// Byte planes of little-endian elements, 16 elements at a time. Each level of even/odd (or its inverse, interleave)
// settles one bit of the byte's position inside its element: two levels for 4-byte elements, three for 8-byte ones.
// Clang lowers the shuffles to packuswb/punpck on SSE2 and to uzp/zip on NEON.
#include "planes.h"
#include <string.h>

typedef uint8_t bytes16 __attribute__((vector_size(16)));

static inline bytes16 load(const uint8_t *from) { bytes16 v; memcpy(&v, from, 16); return v; }
static inline void store(uint8_t *to, bytes16 v) { memcpy(to, &v, 16); }

static inline bytes16 even(bytes16 a, bytes16 b) {
    return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
}
static inline bytes16 odd(bytes16 a, bytes16 b) {
    return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
}
static inline bytes16 interleave_low(bytes16 a, bytes16 b) {
    return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
static inline bytes16 interleave_high(bytes16 a, bytes16 b) {
    return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

// v[0 ..< width] holds 16 elements in memory order; afterwards v[p] holds byte p of each of them.
static inline void split16(bytes16 *v, const size_t width) {
    bytes16 w[8];
    for (size_t bit = 1; bit < width; bit <<= 1) {
        // Before: v[block * bit + low] lists, in order, the bytes whose settled low bits are `low`.
        const size_t blocks = width / bit;
        for (size_t block = 0; block < blocks; block += 2)
            for (size_t low = 0; low < bit; low++) {
                const bytes16 a = v[block * bit + low], b = v[(block + 1) * bit + low];
                w[block / 2 * 2 * bit + low] = even(a, b);
                w[block / 2 * 2 * bit + bit + low] = odd(a, b);
            }
        for (size_t i = 0; i < width; i++) v[i] = w[i];
    }
}

static inline void join16(bytes16 *v, const size_t width) {
    bytes16 w[8];
    for (size_t bit = width >> 1; bit >= 1; bit >>= 1) {
        const size_t blocks = width / bit;
        for (size_t block = 0; block < blocks; block += 2)
            for (size_t low = 0; low < bit; low++) {
                const bytes16 a = v[block * bit + low], b = v[(block + 1) * bit + low];
                w[block * bit + low] = interleave_low(a, b);
                w[(block + 1) * bit + low] = interleave_high(a, b);
            }
        for (size_t i = 0; i < width; i++) v[i] = w[i];
    }
}

static inline size_t split_blocks(const uint8_t *source, size_t elements, const size_t width, uint8_t *target) {
    size_t i = 0;
    for (; i + 16 <= elements; i += 16) {
        bytes16 v[8];
        for (size_t p = 0; p < width; p++) v[p] = load(source + i * width + 16 * p);
        split16(v, width);
        for (size_t p = 0; p < width; p++) store(target + p * elements + i, v[p]);
    }
    return i;
}

static inline size_t join_blocks(const uint8_t *source, size_t elements, const size_t width, uint8_t *target) {
    size_t i = 0;
    for (; i + 16 <= elements; i += 16) {
        bytes16 v[8];
        for (size_t p = 0; p < width; p++) v[p] = load(source + p * elements + i);
        join16(v, width);
        for (size_t p = 0; p < width; p++) store(target + i * width + 16 * p, v[p]);
    }
    return i;
}

void amend_planes_split(const uint8_t *source, size_t elements, size_t width, uint8_t *target) {
    if (width == 1) { memcpy(target, source, elements); return; }
    size_t done = 0;
    if (width == 4) done = split_blocks(source, elements, 4, target);
    if (width == 8) done = split_blocks(source, elements, 8, target);
    for (size_t i = done; i < elements; i++)
        for (size_t p = 0; p < width; p++) target[p * elements + i] = source[i * width + p];
}

void amend_planes_join(const uint8_t *source, size_t elements, size_t width, uint8_t *target) {
    if (width == 1) { memcpy(target, source, elements); return; }
    size_t done = 0;
    if (width == 4) done = join_blocks(source, elements, 4, target);
    if (width == 8) done = join_blocks(source, elements, 8, target);
    for (size_t i = done; i < elements; i++)
        for (size_t p = 0; p < width; p++) target[i * width + p] = source[p * elements + i];
}

void amend_bytes_xor(const uint8_t *restrict source, size_t count, uint8_t *restrict target) {
    for (size_t i = 0; i < count; i++) target[i] ^= source[i];
}
