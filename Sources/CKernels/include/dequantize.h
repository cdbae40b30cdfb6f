// Stored tensor elements to float32, one function per type. Each reads `count` whole blocks (or elements, for the
// types without blocks) from any address, aligned or not, and writes count × (elements of a block) floats. `out` must
// not overlap the input. Results equal those of ggml and of the Python package gguf bit for bit: products and sums are
// rounded separately, never fused. Little-endian machines only.
#pragma once

// One element each. Infinities, NaNs and subnormals are kept; f64 is rounded to nearest even.
void amend_decode_f32(const void *elements, long count, float *out);
void amend_decode_f16(const void *elements, long count, float *out);
void amend_decode_bf16(const void *elements, long count, float *out);
void amend_decode_f64(const void *elements, long count, float *out);

// Blocks of 32 elements: 18, 20, 22, 24, 34 and 18 bytes.
void amend_decode_q4_0(const void *blocks, long blockCount, float *out);
void amend_decode_q4_1(const void *blocks, long blockCount, float *out);
void amend_decode_q5_0(const void *blocks, long blockCount, float *out);
void amend_decode_q5_1(const void *blocks, long blockCount, float *out);
void amend_decode_q8_0(const void *blocks, long blockCount, float *out);
void amend_decode_iq4_nl(const void *blocks, long blockCount, float *out);

// Blocks of 256 elements: 84, 110, 144, 176, 210 and 136 bytes.
void amend_decode_q2_k(const void *blocks, long blockCount, float *out);
void amend_decode_q3_k(const void *blocks, long blockCount, float *out);
void amend_decode_q4_k(const void *blocks, long blockCount, float *out);
void amend_decode_q5_k(const void *blocks, long blockCount, float *out);
void amend_decode_q6_k(const void *blocks, long blockCount, float *out);
void amend_decode_iq4_xs(const void *blocks, long blockCount, float *out);
