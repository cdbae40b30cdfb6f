// Legend: d and m are a block's float16 scale and offset; q is an element's stored integer.
// Blocks are structs of bytes, so they have alignment 1 and no padding, and any address is a legal one.
// Inner loops have constant bounds and no branches, for the vectoriser.
#include "dequantize.h"

#include <stdint.h>
#include <string.h>

// A fused multiply-add would round once where ggml rounds twice.
#pragma STDC FP_CONTRACT OFF

// MARK: elements without blocks

static inline float floatFromBits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t bitsFromFloat(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

// Exact for every input. A subnormal half is its fraction × 2⁻²⁴, which is a normal float.
static inline float floatFromHalf(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    const uint32_t magnitude = half & 0x7fff;
    const uint32_t rebias = 112u << 23;  // float's exponent bias 127 less half's 15
    const uint32_t normal = (magnitude << 13) + rebias;
    const uint32_t special = normal + rebias;  // infinity and NaN: exponent 31 becomes 255
    const uint32_t subnormal = bitsFromFloat((float)(int32_t)magnitude * 0x1p-24f);
    const uint32_t finite = magnitude < 0x0400 ? subnormal : normal;
    return floatFromBits(sign | (magnitude >= 0x7c00 ? special : finite));
}

static inline float loadHalf(const uint8_t bytes[2]) {
    return floatFromHalf((uint16_t)(bytes[0] | bytes[1] << 8));
}

void amend_decode_f32(const void *elements, long count, float *out) {
    memcpy(out, elements, (size_t)count * sizeof *out);
}

void amend_decode_f16(const void *elements, long count, float *restrict out) {
    const uint8_t *restrict bytes = elements;
    for (long i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, bytes + 2 * i, sizeof half);
        out[i] = floatFromHalf(half);
    }
}

void amend_decode_bf16(const void *elements, long count, float *restrict out) {
    const uint8_t *restrict bytes = elements;
    for (long i = 0; i < count; i++) {
        uint16_t upper;
        memcpy(&upper, bytes + 2 * i, sizeof upper);
        out[i] = floatFromBits((uint32_t)upper << 16);
    }
}

void amend_decode_f64(const void *elements, long count, float *restrict out) {
    const uint8_t *restrict bytes = elements;
    for (long i = 0; i < count; i++) {
        double value;
        memcpy(&value, bytes + 8 * i, sizeof value);
        out[i] = (float)value;
    }
}

// MARK: blocks of 32

// In the 4- and 5-bit types byte j of `low` holds the low four bits of element j (lower nibble) and of element j + 16
// (upper nibble); bit j of `high`, a little-endian 32-bit word, is the fifth bit of element j.
typedef struct { uint8_t d[2], low[16]; } BlockQ4_0;           // d (q − 8)
typedef struct { uint8_t d[2], m[2], low[16]; } BlockQ4_1;     // d q + m
typedef struct { uint8_t d[2], high[4], low[16]; } BlockQ5_0;  // d (q − 16)
typedef struct { uint8_t d[2], m[2], high[4], low[16]; } BlockQ5_1;  // d q + m
typedef struct { uint8_t d[2]; int8_t q[32]; } BlockQ8_0;      // d q
typedef struct { uint8_t d[2], low[16]; } BlockIQ4_NL;         // d levels[q]

_Static_assert(sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20 && sizeof(BlockQ5_0) == 22, "packed");
_Static_assert(sizeof(BlockQ5_1) == 24 && sizeof(BlockQ8_0) == 34 && sizeof(BlockIQ4_NL) == 18, "packed");

static const int8_t levelsIQ4[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

static inline uint32_t loadWord(const uint8_t bytes[4]) {
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

void amend_decode_q4_0(const void *blocks, long blockCount, float *restrict out) {
    const BlockQ4_0 *restrict block = blocks;
    for (long b = 0; b < blockCount; b++, block++, out += 32) {
        const float d = loadHalf(block->d);
        for (int j = 0; j < 16; j++) {
            out[j] = d * (float)((block->low[j] & 15) - 8);
            out[j + 16] = d * (float)((block->low[j] >> 4) - 8);
        }
    }
}

void amend_decode_q4_1(const void *blocks, long blockCount, float *restrict out) {
    const BlockQ4_1 *restrict block = blocks;
    for (long b = 0; b < blockCount; b++, block++, out += 32) {
        const float d = loadHalf(block->d), m = loadHalf(block->m);
        for (int j = 0; j < 16; j++) {
            out[j] = d * (float)(block->low[j] & 15) + m;
            out[j + 16] = d * (float)(block->low[j] >> 4) + m;
        }
    }
}

void amend_decode_q5_0(const void *blocks, long blockCount, float *restrict out) {
    const BlockQ5_0 *restrict block = blocks;
    for (long b = 0; b < blockCount; b++, block++, out += 32) {
        const float d = loadHalf(block->d);
        const uint32_t high = loadWord(block->high);
        for (int j = 0; j < 16; j++) {
            out[j] = d * (float)((int)((block->low[j] & 15) | (high >> j & 1) << 4) - 16);
            out[j + 16] = d * (float)((int)((block->low[j] >> 4) | (high >> (j + 16) & 1) << 4) - 16);
        }
    }
}

void amend_decode_q5_1(const void *blocks, long blockCount, float *restrict out) {
    const BlockQ5_1 *restrict block = blocks;
    for (long b = 0; b < blockCount; b++, block++, out += 32) {
        const float d = loadHalf(block->d), m = loadHalf(block->m);
        const uint32_t high = loadWord(block->high);
        for (int j = 0; j < 16; j++) {
            out[j] = d * (float)(int)((block->low[j] & 15) | (high >> j & 1) << 4) + m;
            out[j + 16] = d * (float)(int)((block->low[j] >> 4) | (high >> (j + 16) & 1) << 4) + m;
        }
    }
}

void amend_decode_q8_0(const void *blocks, long blockCount, float *restrict out) {
    const BlockQ8_0 *restrict block = blocks;
    for (long b = 0; b < blockCount; b++, block++, out += 32) {
        const float d = loadHalf(block->d);
        for (int j = 0; j < 32; j++) out[j] = d * (float)block->q[j];
    }
}

void amend_decode_iq4_nl(const void *blocks, long blockCount, float *restrict out) {
    const BlockIQ4_NL *restrict block = blocks;
    for (long b = 0; b < blockCount; b++, block++, out += 32) {
        const float d = loadHalf(block->d);
        for (int j = 0; j < 16; j++) {
            out[j] = d * (float)levelsIQ4[block->low[j] & 15];
            out[j + 16] = d * (float)levelsIQ4[block->low[j] >> 4];
        }
    }
}

// MARK: blocks of 256

// Sub-blocks of 16 or 32 elements have an integer scale s and, in some types, an integer offset t.
// Q4_K and Q5_K: `low` is 4 runs of 32 bytes; run c holds sub-blocks 2c (lower nibbles) and 2c + 1 (upper nibbles);
//   bit g of high[j] is the fifth bit of element j of sub-block g.
// Q2_K and Q3_K: `low` is 2 runs of 32 bytes, one for each half of the block; bits 2g, 2g + 1 of byte j of a run belong
//   to element 32 g + j of the half. In Q3_K bit 4h + g of high[j] is clear where 4 is to be subtracted.
// Q6_K: for each half, 64 bytes of `low` (lower nibbles: elements 0–63 of the half, upper nibbles: 64–127) and 32 bytes
//   of `high`, whose bits 2g, 2g + 1 of byte j are the upper two bits of element 32 g + j of the half.
typedef struct { uint8_t scales[16], low[64], d[2], m[2]; } BlockQ2_K;            // d s q − m t; s lower, t upper nibble
typedef struct { uint8_t high[32], low[64], scales[12], d[2]; } BlockQ3_K;        // d (s − 32) (q − 4 …)
typedef struct { uint8_t d[2], m[2], scales[12], low[128]; } BlockQ4_K;           // d s q − m t
typedef struct { uint8_t d[2], m[2], scales[12], high[32], low[128]; } BlockQ5_K; // d s q − m t
typedef struct { uint8_t low[128], high[64]; int8_t scales[16]; uint8_t d[2]; } BlockQ6_K;   // d s (q − 32)
typedef struct { uint8_t d[2], scalesHigh[2], scalesLow[4], low[128]; } BlockIQ4_XS;         // d (s − 32) levels[q]

_Static_assert(sizeof(BlockQ2_K) == 84 && sizeof(BlockQ3_K) == 110 && sizeof(BlockQ4_K) == 144, "packed");
_Static_assert(sizeof(BlockQ5_K) == 176 && sizeof(BlockQ6_K) == 210 && sizeof(BlockIQ4_XS) == 136, "packed");

void amend_decode_q2_k(const void *blocks, long blockCount, float *restrict out) {
    const BlockQ2_K *restrict block = blocks;
    for (long b = 0; b < blockCount; b++, block++, out += 256) {
        const float d = loadHalf(block->d), m = loadHalf(block->m);
        for (int sub = 0; sub < 16; sub++) {
            const float scale = d * (float)(block->scales[sub] & 15), offset = m * (float)(block->scales[sub] >> 4);
            const uint8_t *low = block->low + 32 * (sub / 8) + 16 * (sub % 2);
            const int shift = 2 * (sub % 8 / 2);
            for (int j = 0; j < 16; j++) out[16 * sub + j] = scale * (float)(low[j] >> shift & 3) - offset;
        }
    }
}

// Bytes 0–7 hold the low four bits of scales 0–7 (lower nibble) and 8–15 (upper nibble); bits 2g, 2g + 1 of byte
// 8 + j are the upper two bits of scale 4 g + j.
static inline int scaleQ3_K(const uint8_t scales[12], int sub) {
    const int low = sub < 8 ? scales[sub] & 15 : scales[sub - 8] >> 4;
    const int high = scales[8 + sub % 4] >> (2 * (sub / 4)) & 3;
    return (low | high << 4) - 32;
}

void amend_decode_q3_k(const void *blocks, long blockCount, float *restrict out) {
    const BlockQ3_K *restrict block = blocks;
    for (long b = 0; b < blockCount; b++, block++, out += 256) {
        const float d = loadHalf(block->d);
        for (int sub = 0; sub < 16; sub++) {
            const float scale = d * (float)scaleQ3_K(block->scales, sub);
            const uint8_t *low = block->low + 32 * (sub / 8) + 16 * (sub % 2);
            const uint8_t *high = block->high + 16 * (sub % 2);
            const int shift = 2 * (sub % 8 / 2), bit = sub / 2;
            for (int j = 0; j < 16; j++) {
                out[16 * sub + j] = scale * (float)((low[j] >> shift & 3) + ((high[j] >> bit & 1) << 2) - 4);
            }
        }
    }
}

// Eight 6-bit scales s and offsets t. Bytes 0–3 and 4–7 hold s and t of sub-blocks 0–3 in their lower six bits; bytes
// 8–11 the low four bits of s (lower nibble) and t (upper nibble) of sub-blocks 4–7, whose upper two bits are the upper
// two of bytes 0–3 and 4–7.
static inline void scalesQ4_K(const uint8_t packed[12], uint8_t scale[8], uint8_t offset[8]) {
    for (int j = 0; j < 4; j++) {
        scale[j] = packed[j] & 63;
        offset[j] = packed[j + 4] & 63;
        scale[j + 4] = (uint8_t)((packed[j + 8] & 15) | packed[j] >> 6 << 4);
        offset[j + 4] = (uint8_t)(packed[j + 8] >> 4 | packed[j + 4] >> 6 << 4);
    }
}

void amend_decode_q4_k(const void *blocks, long blockCount, float *restrict out) {
    const BlockQ4_K *restrict block = blocks;
    for (long b = 0; b < blockCount; b++, block++, out += 256) {
        const float d = loadHalf(block->d), m = loadHalf(block->m);
        uint8_t scales[8], offsets[8];
        scalesQ4_K(block->scales, scales, offsets);
        for (int sub = 0; sub < 8; sub++) {
            const float scale = d * (float)scales[sub], offset = m * (float)offsets[sub];
            const uint8_t *low = block->low + 32 * (sub / 2);
            const int shift = 4 * (sub % 2);
            for (int j = 0; j < 32; j++) out[32 * sub + j] = scale * (float)(low[j] >> shift & 15) - offset;
        }
    }
}

void amend_decode_q5_k(const void *blocks, long blockCount, float *restrict out) {
    const BlockQ5_K *restrict block = blocks;
    for (long b = 0; b < blockCount; b++, block++, out += 256) {
        const float d = loadHalf(block->d), m = loadHalf(block->m);
        uint8_t scales[8], offsets[8];
        scalesQ4_K(block->scales, scales, offsets);
        for (int sub = 0; sub < 8; sub++) {
            const float scale = d * (float)scales[sub], offset = m * (float)offsets[sub];
            const uint8_t *low = block->low + 32 * (sub / 2);
            const int shift = 4 * (sub % 2);
            for (int j = 0; j < 32; j++) {
                const int q = (low[j] >> shift & 15) | (block->high[j] >> sub & 1) << 4;
                out[32 * sub + j] = scale * (float)q - offset;
            }
        }
    }
}

void amend_decode_q6_k(const void *blocks, long blockCount, float *restrict out) {
    const BlockQ6_K *restrict block = blocks;
    for (long b = 0; b < blockCount; b++, block++, out += 256) {
        const float d = loadHalf(block->d);
        for (int sub = 0; sub < 16; sub++) {
            const float scale = d * (float)block->scales[sub];
            const int half = sub / 8, run = sub % 8;  // a run is 16 elements of the half's 128
            const uint8_t *low = block->low + 64 * half + 16 * (run % 4);
            const uint8_t *high = block->high + 32 * half + 16 * (run % 2);
            const int lowShift = 4 * (run / 4), highShift = 2 * (run / 2);
            for (int j = 0; j < 16; j++) {
                const int q = (low[j] >> lowShift & 15) | (high[j] >> highShift & 3) << 4;
                out[16 * sub + j] = scale * (float)(q - 32);
            }
        }
    }
}

// Sub-blocks of 32, each 16 bytes of `low` laid out as a block of IQ4_NL. Nibble g of scalesLow and bits 2g, 2g + 1 of
// scalesHigh, both little-endian, are the low four and upper two bits of sub-block g's scale.
void amend_decode_iq4_xs(const void *blocks, long blockCount, float *restrict out) {
    const BlockIQ4_XS *restrict block = blocks;
    for (long b = 0; b < blockCount; b++, block++, out += 256) {
        const float d = loadHalf(block->d);
        const int scalesHigh = block->scalesHigh[0] | block->scalesHigh[1] << 8;
        for (int sub = 0; sub < 8; sub++) {
            const int scaleLow = block->scalesLow[sub / 2] >> (4 * (sub % 2)) & 15;
            const float scale = d * (float)((scaleLow | (scalesHigh >> (2 * sub) & 3) << 4) - 32);
            const uint8_t *low = block->low + 16 * sub;
            for (int j = 0; j < 16; j++) {
                out[32 * sub + j] = scale * (float)levelsIQ4[low[j] & 15];
                out[32 * sub + 16 + j] = scale * (float)levelsIQ4[low[j] >> 4];
            }
        }
    }
}
