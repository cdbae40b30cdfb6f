#include "kernels.h"

#include <math.h>
#include <string.h>

#include "variants.h"

enum { LANES = 16 };
typedef float wide_t __attribute__((vector_size(LANES * 4)));
typedef float wide_loose_t __attribute__((vector_size(LANES * 4), aligned(4)));
typedef int32_t wide_int_t __attribute__((vector_size(LANES * 4)));
typedef double wide_double_t __attribute__((vector_size(LANES * 8)));

#pragma STDC FP_CONTRACT OFF  // what is fused is written as such, so that all variants with FMA give the same bits
#pragma clang diagnostic ignored "-Wpsabi"  // wide_t is only ever passed to functions that are inlined

#define VARIANT portable
#if defined(__ARM_FEATURE_FMA) || defined(__FMA__)
#define FUSED 1
#else
#define FUSED 0
#endif
#include "kernels_variant.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#define VARIANT avx2
#define FUSED 1
#include "kernels_variant.h"
#pragma clang attribute pop

#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma,f16c"))), apply_to = function)
#define VARIANT avx512
#define FUSED 1
#include "kernels_variant.h"
#pragma clang attribute pop
#define CALL(name, ...)                                      \
    switch (amend_variant_index()) {                         \
        case 0: return name##_portable(__VA_ARGS__);         \
        case 1: return name##_avx2(__VA_ARGS__);             \
        default: return name##_avx512(__VA_ARGS__);          \
    }
#else
#define CALL(name, ...) return name##_portable(__VA_ARGS__);
#endif

float amend_dot(const float *x, const float *y, long n) { CALL(dot, x, y, n) }
double amend_dot_double(const float *x, const float *y, long n) { CALL(dot_double, x, y, n) }
void amend_add(float *y, const float *x, long n) { CALL(add, y, x, n) }
void amend_axpy(float *y, float a, const float *x, long n) { CALL(axpy, y, a, x, n) }
void amend_scale(float *y, float a, long n) { CALL(scale, y, a, n) }
void amend_subtract(float *out, const float *x, const float *y, long n) { CALL(subtract, out, x, y, n) }
void amend_rms_norm_forward(float *out, const float *x, const float *weight, long n, float epsilon) { CALL(rms_norm_forward, out, x, weight, n, epsilon) }
void amend_rms_norm_backward(float *dx, const float *dout, const float *x, const float *weight, long n, float epsilon) { CALL(rms_norm_backward, dx, dout, x, weight, n, epsilon) }
void amend_layer_norm_forward(float *out, const float *x, const float *weight, const float *bias, long n, float epsilon) { CALL(layer_norm_forward, out, x, weight, bias, n, epsilon) }
void amend_layer_norm_backward(float *dx, const float *dout, const float *x, const float *weight, long n, float epsilon) { CALL(layer_norm_backward, dx, dout, x, weight, n, epsilon) }
void amend_rotate_pairs(float *x, const float *cosines, const float *sines, long n, int inverse) { CALL(rotate_pairs, x, cosines, sines, n, inverse) }
void amend_soft_cap(float *x, long n, float cap) { CALL(soft_cap, x, n, cap) }
void amend_rotate_halves(float *x, const float *cosines, const float *sines, long n, int inverse) { CALL(rotate_halves, x, cosines, sines, n, inverse) }
void amend_activation_forward(amend_activation activation, float *out, const float *x, const float *up, long n) {
    if (activation == AMEND_GELU_TANH) { CALL(gelu_tanh_forward, out, x, up, n) }
    CALL(silu_forward, out, x, up, n)
}
void amend_activation_backward(amend_activation activation, float *dx, float *dup, const float *dout, const float *x, const float *up, long n) {
    if (activation == AMEND_GELU_TANH) { CALL(gelu_tanh_backward, dx, dup, dout, x, up, n) }
    CALL(silu_backward, dx, dup, dout, x, up, n)
}
void amend_attention_forward(float *out, const float *q, long q_stride, const float *k, const float *v, long kv_stride, amend_segment segment, long head_size, float *scores) { CALL(attention_forward, out, q, q_stride, k, v, kv_stride, segment, head_size, scores) }
void amend_attention_backward(float *dq, float *dk, float *dv, const float *dout, const float *q, long q_stride, const float *k, const float *v, long kv_stride, long dkv_stride, amend_segment segment, long kept, long head_size, float *scratch) { CALL(attention_backward, dq, dk, dv, dout, q, q_stride, k, v, kv_stride, dkv_stride, segment, kept, head_size, scratch) }
float amend_log_sum_exp(const float *x, long n, long *largest) { CALL(log_sum_exp, x, n, largest) }
void amend_cross_entropy_backward(float *x, long n, float log_sum_exp, long label, float weight, float soft_cap) { CALL(cross_entropy_backward, x, n, log_sum_exp, label, weight, soft_cap) }
float amend_divergence_backward(float *x, const float *reference, long n, float log_sum_exp, float reference_log_sum_exp, float weight, float soft_cap) { CALL(divergence_backward, x, reference, n, log_sum_exp, reference_log_sum_exp, weight, soft_cap) }
void amend_standardize(float *z, const float *x, const float *mean, const float *deviation, float epsilon, long n) { CALL(standardize, z, x, mean, deviation, epsilon, n) }
void amend_block_forward(float *out, const float *z, float *pre, const float *bias, const float *scale, const float *shift, long n) { CALL(block_forward, out, z, pre, bias, scale, shift, n) }
void amend_block_backward(float *g, float *dscale, float *dshift, float *dbias, const float *dy, const float *pre, const float *scale, long n) { CALL(block_backward, g, dscale, dshift, dbias, dy, pre, scale, n) }
void amend_adam(float *parameter, float *m, float *v, const float *gradient, long n, float rate, float beta1, float beta2, float epsilon, double correction1, double correction2) { CALL(adam, parameter, m, v, gradient, n, rate, beta1, beta2, epsilon, correction1, correction2) }
int amend_all_finite(const float *x, long n) { CALL(all_finite, x, n) }
double amend_sum_of_squares(const float *x, long n) { return amend_dot_double(x, x, n); }
