// What the kernel checks share: random cases, buffers that end where memory ends, and the comparison of what a kernel wrote.
#pragma once

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "CKernels.h"

// ---- random numbers: a case is a function of the seed, the kernel's name and the case's number
typedef struct {
    uint64_t state;
} stream;

uint64_t draw(stream *);
long draw_below(stream *, long count);
/// 1 to `most`: small ones, and the neighbours of vector and block borders, come often.
long draw_size(stream *, long most);
/// About normal, with deviation `scale`; now and then a zero of either sign.
float draw_number(stream *, float scale);

// ---- buffers, all released before the next case
/// `bytes` bytes that end at a page which cannot be touched, filled with 0xa5.
void *room(long bytes);
float *blank(long count);
float *numbers(stream *, long count, float scale);
float *copy(const float *, long count);

// ---- one run of a case
typedef struct outcome outcome;

/// Whether the variant that runs has fused multiply-add, and whether it is the first of those that promise the same bits: the others are
/// only compared with it.
int is_fused(const outcome *);
int wants_reference(const outcome *);
/// a b + c as the variant computes it
float multiply_add(const outcome *, float a, float b, float c);

/// What the kernel wrote: must be the same bits in all variants that promise it. All NaNs count as one.
void record(outcome *, const float *found, long count);
void record_bytes(outcome *, const void *found, long count);
/// record, and the same bits as `expected`.
void expect_bits(outcome *, const float *found, const float *expected, long count);
void expect_bytes(outcome *, const void *found, const void *expected, long count);
/// record, and |found − expected| ≤ TOLERANCE · size, where size is that of the terms that were summed.
#define TOLERANCE 1e-6
void expect_near(outcome *, const float *found, const double *expected, long count, double size);

typedef struct {
    const char *name;
    void (*run)(stream *, outcome *);
    int same_everywhere;  // whether variants without fused multiply-add promise the same bits too
} kernel_check;

extern const kernel_check product_checks[], row_checks[], byte_checks[];  // each ends with a NULL name
