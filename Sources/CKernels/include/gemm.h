// Matrix products whose every element is one fixed sequence of operations.
//
//     c[m,n] = a[m,k] b[k,n]    or    c += a b
//
// Element (i, j) is the sum over blocks of k (their borders depend on k alone) of a chain of fused multiply-adds in the
// order of k. Nothing else enters: not m or n, not the place of the element in its tile, not the number of threads, not
// the vector width. So a product may be cut by rows or columns, over threads or ranks, and give the same bits; a BLAS
// does not promise this (OpenBLAS's kernels do not keep it). On processors without fused multiply-add the plain C variant
// keeps the same promise for itself, with other bits.
//
// b is packed panel by panel as it is used, and may be stored in half precision or in ggml's blocks of 32: a mapped weight file is
// then the only copy of the weights.
#pragma once

typedef enum {
    AMEND_F32, AMEND_F16, AMEND_BF16,
    AMEND_Q4_0, AMEND_Q4_1, AMEND_Q5_0, AMEND_Q5_1, AMEND_Q8_0,  // blocks of 32 elements
} amend_element;

/// Element (i, j) is number i * row_stride + j * column_stride of the data; one of the strides is 1. In blocks the other is a multiple of 32.
typedef struct {
    const void *data;
    long row_stride, column_stride;
    amend_element element;
    const float *addend;  ///< NULL, or float32 with the same strides, added to each element (an edit's ΔW)
} amend_operand;

/// AMEND_ARITHMETIC_BF16 rounds both sides to bfloat16 (to nearest, ties to even; subnormal numbers to zero) as they are packed. Sums are
/// float32, and of each pair of terms the odd one is added before the even one, as vdpbf16ps does: processors with that instruction and
/// those without agree, except where a sum is subnormal.
typedef enum { AMEND_ARITHMETIC_F32, AMEND_ARITHMETIC_BF16 } amend_arithmetic;

/// `a` is float32 without addend. c is row-major with `c_stride` between rows. Uses the pool of pool.h.
void amend_gemm(amend_arithmetic arithmetic, long m, long n, long k, amend_operand a, amend_operand b, float *c, long c_stride, int accumulate);

/// One of several products with the same left side.
typedef struct {
    long n;
    amend_operand b;
    float *c;
    long c_stride;
    int accumulate;
} amend_target;

enum { AMEND_MOST_TARGETS = 4 };

/// c_t = a b_t, or +=, for up to AMEND_MOST_TARGETS targets: the bits of separate products, with `a` packed once and the work of all
/// spread over the threads at once.
void amend_gemm_many(amend_arithmetic arithmetic, long m, long k, amend_operand a, int count, const amend_target *targets);

/// out = `count` elements from element `first` on, as float32: for the blocks the values of dequantize.h.
void amend_widen(amend_element element, const void *data, long first, long count, float *out);

/// Floating-point operations (2 m n k) of all products so far.
double amend_gemm_operations(void);

/// "avx512bf16", "avx512", "avx2" or "portable": the variant in use; `amend_gemm_select` chooses one (for tests) and returns 0 if this
/// processor cannot run it.
const char *amend_kernel_variant(void);
int amend_kernel_select(const char *name);
