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
///
/// AMEND_ARITHMETIC_BF16_TILES rounds likewise and sums as Intel's matrix tiles do (tdpbf16ps). Terms come in blocks of 32, the last one filled up
/// with zeros. Of each block, the 16 even terms are a chain of fused multiply-adds from zero, the 16 odd ones another; the sum of both is added to
/// the element, block after block, from zero or from what c holds. Subnormal numbers are zeros wherever they occur. Processors without tiles get
/// the same bits from ordinary multiply-adds, a little slower than with AMEND_ARITHMETIC_F32; on 64-bit ARM except where a number just below the
/// smallest normal one would have been rounded up to it.
typedef enum { AMEND_ARITHMETIC_F32, AMEND_ARITHMETIC_BF16, AMEND_ARITHMETIC_BF16_TILES } amend_arithmetic;

/// What this processor multiplies fastest: tiles where it has them; pairs where its multipliers of pairs are as many as those of float32 and not half
/// as many, as Intel's are.
amend_arithmetic amend_fastest_arithmetic(void);

/// Multiplies matrix tiles of random numbers in registers alone, on this thread and `times` times, and returns the floating-point operations of it: 0
/// where tiles are not in use. What numbers they are matters to the rate: of zeros it is a fifth higher.
double amend_multiply_tiles(long times);

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

/// Bytes of the operands (as stored) and results of all products so far, each counted once per product: what must be moved at least.
double amend_gemm_bytes(void);

/// "avx512amx", "avx512bf16", "avx512", "avx2" or "portable": the variant in use, the best that the processor can run or the one
/// that the environment variable AMEND_KERNELS names, if it can run that. `amend_kernel_select` chooses one and returns 0 if it cannot.
const char *amend_kernel_variant(void);
int amend_kernel_select(const char *name);
