// The element-wise and row-wise arithmetic of a transformer and of the editors, beside gemm.h.
//
// Sums run over sixteen fixed lanes and one fixed tree, and every product-and-sum is fused where the processor can, so
// AVX2 and AVX-512 give the same bits. All matrices are row-major float32. "accumulated" gradients are added to what the
// buffer holds; others overwrite it.
#pragma once

#include <stdint.h>

// ---- vectors
float amend_dot(const float *x, const float *y, long n);
double amend_sum_of_squares(const float *x, long n);
double amend_dot_double(const float *x, const float *y, long n);
void amend_add(float *y, const float *x, long n);                      ///< y += x
void amend_axpy(float *y, float a, const float *x, long n);            ///< y += a x
void amend_scale(float *y, float a, long n);                           ///< y *= a
void amend_subtract(float *out, const float *x, const float *y, long n);

// ---- norms; one row of n
/// out = weight ∘ x / sqrt(mean(x²) + epsilon)
void amend_rms_norm_forward(float *out, const float *x, const float *weight, long n, float epsilon);
/// dx += the gradient through amend_rms_norm_forward of dout (accumulated)
void amend_rms_norm_backward(float *dx, const float *dout, const float *x, const float *weight, long n, float epsilon);

/// out = weight ∘ (x − mean) / sqrt(variance + epsilon) + bias
void amend_layer_norm_forward(float *out, const float *x, const float *weight, const float *bias, long n, float epsilon);
/// dx += the gradient through amend_layer_norm_forward of dout (accumulated)
void amend_layer_norm_backward(float *dx, const float *dout, const float *x, const float *weight, long n, float epsilon);

// ---- rotary position embedding of the first n elements of one head, cosines and sines of n/2 angles
void amend_rotate_halves(float *x, const float *cosines, const float *sines, long n, int inverse);  ///< pairs (i, i + n/2)
void amend_rotate_pairs(float *x, const float *cosines, const float *sines, long n, int inverse);   ///< pairs (2i, 2i + 1)

// ---- activations, one row
typedef enum { AMEND_SILU = 0, AMEND_GELU_TANH = 1 } amend_activation;

/// out = f(x) ∘ up, or f(x) where up is NULL
void amend_activation_forward(amend_activation activation, float *out, const float *x, const float *up, long n);
/// Overwrites dx and dup; dup and up are both NULL or neither.
void amend_activation_backward(amend_activation activation, float *dx, float *dup, const float *dout, const float *x, const float *up, long n);
/// x <- cap · tanh(x / cap)
void amend_soft_cap(float *x, long n, float cap);

// ---- attention of one head over one packed segment
/// The tokens of a segment are rows [first, first + count) of the keys and values. Token i of it sees the parent's rows
/// [parent, parent + parent_count) and the segment's own rows up to itself; with window > 0 only the last `window` of these. The last `queries`
/// tokens ask. A score is scale · ⟨q, k⟩, with soft_cap > 0 then capped as amend_soft_cap does.
typedef struct {
    long first, count, parent, parent_count, window, queries;
    float scale, soft_cap;
} amend_segment;

/// out and q: the rows of the tokens that ask, `q_stride` apart; k, v: rows `kv_stride` apart from row 0 of the pack; all pointers at this head's
/// first column. `scores` is scratch of parent_count + count floats.
void amend_attention_forward(float *out, const float *q, long q_stride, const float *k, const float *v, long kv_stride,
                             amend_segment segment, long head_size, float *scores);

/// Backward, for a segment without parent. q, dout and dq hold the rows of the tokens that ask, at `q_stride`; dk and dv (accumulated) the rows of
/// the last `kept` tokens, at `dkv_stride`: what flows to earlier ones is dropped. `scratch`: 3 · count floats.
void amend_attention_backward(float *dq, float *dk, float *dv, const float *dout, const float *q, long q_stride, const float *k,
                              const float *v, long kv_stride, long dkv_stride, amend_segment segment, long kept, long head_size, float *scratch);

// ---- softmax over a vocabulary, one row
/// log Σ exp(x), the index of the largest (the first of equals) in *largest.
float amend_log_sum_exp(const float *x, long n, long *largest);
/// x <- weight · (softmax(x) − onehot(label)), given log Σ exp(x): the gradient of weight · cross entropy. With soft_cap > 0 the logits x
/// have been capped, and the gradient is that of the logits before.
void amend_cross_entropy_backward(float *x, long n, float log_sum_exp, long label, float weight, float soft_cap);
/// weight · KL(softmax(reference)‖softmax(x)), given log Σ exp of both; x <- its gradient, weight · (softmax(x) − softmax(reference)). soft_cap as above.
float amend_divergence_backward(float *x, const float *reference, long n, float log_sum_exp, float reference_log_sum_exp, float weight, float soft_cap);

// ---- hypernetwork rows
/// z = (x − mean) / (deviation + epsilon)
void amend_standardize(float *z, const float *x, const float *mean, const float *deviation, float epsilon, long n);
/// out = z + scale ∘ max(0, pre + bias) + shift; pre becomes pre + bias
void amend_block_forward(float *out, const float *z, float *pre, const float *bias, const float *scale, const float *shift, long n);
/// g = dy ∘ scale where pre ≥ 0, else 0 (the derivative of max(0, x) at zero is one);
/// accumulated: dscale += dy ∘ max(0, pre), dshift += dy, dbias += g
void amend_block_backward(float *g, float *dscale, float *dshift, float *dbias, const float *dy, const float *pre, const float *scale, long n);

// ---- Adam (Kingma and Ba, arXiv 1412.6980), n parameters; correction1 = 1 − β1^t, correction2 = 1 − β2^t
void amend_adam(float *parameter, float *m, float *v, const float *gradient, long n, float rate, float beta1, float beta2,
                float epsilon, double correction1, double correction2);

/// 1 if every element is finite
int amend_all_finite(const float *x, long n);
