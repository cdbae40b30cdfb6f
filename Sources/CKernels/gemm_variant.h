// One instruction set's half of gemm.c: included with VARIANT (a suffix), LANES (floats of a vector register), ROWS (of a
// register tile), VECTORS (registers across it), FUSED (whether it has fused multiply-add) and PAIRS (whether it multiplies pairs of
// bfloat16) defined.
#define PASTE2(a, b) a##_##b
#define PASTE(a, b) PASTE2(a, b)
#define NAME(x) PASTE(x, VARIANT)

typedef float NAME(vector) __attribute__((vector_size(LANES * 4)));
typedef float NAME(loose) __attribute__((vector_size(LANES * 4), aligned(4)));

static inline NAME(vector) NAME(fused)(NAME(vector) a, NAME(vector) b, NAME(vector) c) {
#if FUSED
    return __builtin_elementwise_fma(a, b, c);
#else
    return a * b + c;
#endif
}

// sum + a b: one term, or where `pairs` two of bfloat16 in each 32 bits, the odd one first.
static inline __attribute__((always_inline)) NAME(vector) NAME(step)(int pairs, const float *a, NAME(vector) b, NAME(vector) sum) {
#if PAIRS
    if (pairs) return (NAME(vector))_mm512_dpbf16_ps((__m512)sum, (__m512bh)_mm512_set1_epi32(*(const loose_word_t *)a), (__m512bh)b);
#else
    (void)pairs;
#endif
    return NAME(fused)(*a - (NAME(vector)){0}, b, sum);  // a broadcast: subtracting zero changes nothing
}

// One register tile: ROWS × (VECTORS · LANES) outputs over `depth` lines. a is [depth][ROWS], b is [depth][VECTORS · LANES].
static inline __attribute__((always_inline)) void NAME(tile)(int pairs, long depth, const float *a, const float *b, float *c, long c_stride,
                                                             long rows, long columns, int accumulate) {
    enum { WIDTH = VECTORS * LANES };
    NAME(vector) sum[ROWS][VECTORS];
#pragma clang loop unroll(full)
    for (int i = 0; i < ROWS; i++)
#pragma clang loop unroll(full)
        for (int v = 0; v < VECTORS; v++) sum[i][v] = (NAME(vector)){0};
    if (depth >= 64)  // the lines of c come while the sums are formed
        for (long i = 0; i < rows; i++)
            for (long j = 0; j < columns; j += 16) __builtin_prefetch(c + i * c_stride + j, 1);
    for (long p = 0; p < depth; p++, a += ROWS, b += WIDTH) {
        NAME(vector) right[VECTORS];
#pragma clang loop unroll(full)
        for (int v = 0; v < VECTORS; v++) right[v] = *(const NAME(vector) *)(b + v * LANES);
#pragma clang loop unroll(full)
        for (int i = 0; i < ROWS; i++)
#pragma clang loop unroll(full)
            for (int v = 0; v < VECTORS; v++) sum[i][v] = NAME(step)(pairs, a + i, right[v], sum[i][v]);
    }
    if (rows == ROWS && columns == WIDTH) {
#pragma clang loop unroll(full)
        for (int i = 0; i < ROWS; i++)
#pragma clang loop unroll(full)
            for (int v = 0; v < VECTORS; v++) {
                NAME(loose) *out = (NAME(loose) *)(c + i * c_stride + v * LANES);
                *out = accumulate ? (NAME(vector))*out + sum[i][v] : sum[i][v];
            }
        return;
    }
    float whole[ROWS][WIDTH] __attribute__((aligned(64)));
#pragma clang loop unroll(full)
    for (int i = 0; i < ROWS; i++)
#pragma clang loop unroll(full)
        for (int v = 0; v < VECTORS; v++) *(NAME(vector) *)&whole[i][v * LANES] = sum[i][v];
    for (long i = 0; i < rows; i++)
        for (long j = 0; j < columns; j++) c[i * c_stride + j] = accumulate ? c[i * c_stride + j] + whole[i][j] : whole[i][j];
}

// The same with sums in the order of matrix tiles: of every 32 lines, 16 of even terms and 16 of odd ones. See gemm.h.
static inline __attribute__((always_inline)) void NAME(tile_of_blocks)(long depth, const float *a, const float *b, float *c, long c_stride, long rows,
                                                                       long columns, int accumulate) {
    enum { WIDTH = VECTORS * LANES, HALF = 16 };
    float whole[ROWS][WIDTH] __attribute__((aligned(64)));
    NAME(vector) even[ROWS][VECTORS];
    if (!accumulate || rows < ROWS || columns < WIDTH) memset(whole, 0, sizeof whole);
    if (accumulate)
        for (long i = 0; i < rows; i++) memcpy(whole[i], c + i * c_stride, (size_t)columns * sizeof(float));
    for (long half = 0; half < depth / HALF; half++) {
        NAME(vector) sum[ROWS][VECTORS];
#pragma clang loop unroll(full)
        for (int i = 0; i < ROWS; i++)
#pragma clang loop unroll(full)
            for (int v = 0; v < VECTORS; v++) sum[i][v] = (NAME(vector)){0};
        for (long p = 0; p < HALF; p++, a += ROWS, b += WIDTH) {
            NAME(vector) right[VECTORS];
#pragma clang loop unroll(full)
            for (int v = 0; v < VECTORS; v++) right[v] = *(const NAME(vector) *)(b + v * LANES);
#pragma clang loop unroll(full)
            for (int i = 0; i < ROWS; i++)
#pragma clang loop unroll(full)
                for (int v = 0; v < VECTORS; v++) sum[i][v] = NAME(step)(0, a + i, right[v], sum[i][v]);
        }
#pragma clang loop unroll(full)
        for (int i = 0; i < ROWS; i++)
#pragma clang loop unroll(full)
            for (int v = 0; v < VECTORS; v++) {
                NAME(vector) *total = (NAME(vector) *)&whole[i][v * LANES];
                if (half % 2 == 0) even[i][v] = sum[i][v];
                else *total = *total + (even[i][v] + sum[i][v]);
            }
    }
    for (long i = 0; i < rows; i++) memcpy(c + i * c_stride, whole[i], (size_t)columns * sizeof(float));
}

typedef float NAME(eight) __attribute__((vector_size(32)));
typedef float NAME(eight_loose) __attribute__((vector_size(32), aligned(4)));

// r[i][j] <- r[j][i]
static inline __attribute__((always_inline)) void NAME(transpose8)(NAME(eight) r[8]) {
    NAME(eight) t[8];
#pragma clang loop unroll(full)
    for (int j = 0; j < 4; j++) {
        t[2 * j] = __builtin_shufflevector(r[2 * j], r[2 * j + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        t[2 * j + 1] = __builtin_shufflevector(r[2 * j], r[2 * j + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    NAME(eight) u[8];
#pragma clang loop unroll(full)
    for (int j = 0; j < 2; j++) {
        u[4 * j] = __builtin_shufflevector(t[4 * j], t[4 * j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
        u[4 * j + 1] = __builtin_shufflevector(t[4 * j], t[4 * j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        u[4 * j + 2] = __builtin_shufflevector(t[4 * j + 1], t[4 * j + 3], 0, 1, 8, 9, 4, 5, 12, 13);
        u[4 * j + 3] = __builtin_shufflevector(t[4 * j + 1], t[4 * j + 3], 2, 3, 10, 11, 6, 7, 14, 15);
    }
#pragma clang loop unroll(full)
    for (int j = 0; j < 4; j++) {
        r[j] = __builtin_shufflevector(u[j], u[j + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        r[j + 4] = __builtin_shufflevector(u[j], u[j + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

// Up to eight rows at `source` become columns [first, first + rows) of out [depth][width]; zeros to their right within it. Eight lanes are
// stored at a time: what spills into the next row of out is written again by that row, so columns to the left come later.
static inline __attribute__((always_inline)) void NAME(transpose_rows)(const float *source, long stride, int rows, long depth, float *out,
                                                                       long width, long first) {
    long spill = first + 8 > width, p = 0;
    for (; p + 8 + spill <= depth; p += 8) {
        NAME(eight) r[8];
#pragma clang loop unroll(full)
        for (int j = 0; j < 8; j++) r[j] = j < rows ? *(const NAME(eight_loose) *)(source + j * stride + p) : (NAME(eight)){0};
        NAME(transpose8)(r);
#pragma clang loop unroll(full)
        for (int j = 0; j < 8; j++) *(NAME(eight_loose) *)(out + (p + j) * width + first) = r[j];
    }
    for (; p < depth; p++)
        for (long j = 0; j < 8 && first + j < width; j++) out[p * width + first + j] = j < rows ? source[j * stride + p] : 0;
}

// [count rows][depth] floats at `stride` -> [depth][width], zero beyond count.
static void NAME(transpose)(const float *source, long stride, long count, long depth, float *out, long width) {
    for (long first = (width - 1) / 8 * 8; first >= 0; first -= 8) {
        long rows = count - first;
        if (rows >= 8) NAME(transpose_rows)(source + first * stride, stride, 8, depth, out, width, first);
        else if (rows == ROWS % 8) NAME(transpose_rows)(source + first * stride, stride, ROWS % 8, depth, out, width, first);
        else NAME(transpose_rows)(source + first * stride, stride, rows > 0 ? (int)rows : 0, depth, out, width, first);
    }
}

// [depth rows][count] floats at `stride` -> [depth][width], zero beyond count.
static void NAME(copy)(const float *source, long stride, long count, long depth, float *out, long width) {
    for (long p = 0; p < depth; p++, source += stride, out += width) {
        for (long j = 0; j < count; j++) out[j] = source[j];
        for (long j = count; j < width; j++) out[j] = 0;
    }
}

static inline __attribute__((always_inline)) void NAME(widen_plain)(amend_element element, const void *source, long first, long count, float *out) {
    if (element == AMEND_BF16) {
        const uint16_t *bits = (const uint16_t *)source + first;
        for (long i = 0; i < count; i++) ((uint32_t *)out)[i] = (uint32_t)bits[i] << 16;
    } else if (element == AMEND_F16) {
        const _Float16 *halves = (const _Float16 *)source + first;
        for (long i = 0; i < count; i++) out[i] = (float)halves[i];
    } else {
        memcpy(out, (const float *)source + first, (size_t)count * sizeof(float));
    }
}

typedef float NAME(half_block) __attribute__((vector_size(64), aligned(4)));
typedef uint8_t NAME(bytes) __attribute__((vector_size(16), aligned(1)));
typedef int8_t NAME(signed_bytes) __attribute__((vector_size(16), aligned(1)));

static inline __attribute__((always_inline)) float NAME(half)(const uint8_t *bits) {
    _Float16 value;
    memcpy(&value, bits, sizeof value);
    return (float)value;
}

// The fifth bits of sixteen elements, as 16 or 0.
static inline __attribute__((always_inline)) NAME(bytes) NAME(high_bits)(unsigned bits) {
    const NAME(bytes) places = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    NAME(bytes) spread;
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i++) spread[i] = (uint8_t)(bits >> (i / 8 * 8));
    return ((NAME(bytes))((spread & places) == places)) & 16;
}

// One block of 32 elements, as ggml lays them out.
static inline __attribute__((always_inline)) void NAME(decode)(amend_element element, const uint8_t *block, float *out) {
    NAME(half_block) low, high;
    const float scale = NAME(half)(block);
    if (element == AMEND_Q8_0) {
        low = __builtin_convertvector(*(const NAME(signed_bytes) *)(block + 2), NAME(half_block)) * scale;
        high = __builtin_convertvector(*(const NAME(signed_bytes) *)(block + 18), NAME(half_block)) * scale;
    } else {
        const int has_minimum = element == AMEND_Q4_1 || element == AMEND_Q5_1, has_fifth = element == AMEND_Q5_0 || element == AMEND_Q5_1;
        const uint8_t *fifth = block + (has_minimum ? 4 : 2);
        const NAME(bytes) nibbles = *(const NAME(bytes) *)(fifth + (has_fifth ? 4 : 0));
        NAME(bytes) first = nibbles & 15, second = nibbles >> 4;
        if (has_fifth) {
            first |= NAME(high_bits)(fifth[0] | (unsigned)fifth[1] << 8);
            second |= NAME(high_bits)(fifth[2] | (unsigned)fifth[3] << 8);
        }
        low = __builtin_convertvector(first, NAME(half_block));
        high = __builtin_convertvector(second, NAME(half_block));
        if (has_minimum) {
            const float minimum = NAME(half)(block + 2);
            low = low * scale + minimum;
            high = high * scale + minimum;
        } else {
            const float middle = has_fifth ? 16 : 8;
            low = (low - middle) * scale;
            high = (high - middle) * scale;
        }
    }
    *(NAME(half_block) *)out = low;
    *(NAME(half_block) *)(out + 16) = high;
}

static inline __attribute__((always_inline)) void NAME(widen_blocks)(amend_element element, long block_bytes, const uint8_t *source, long first,
                                                                     long count, float *out) {
    const uint8_t *block = source + first / 32 * block_bytes;
    float part[32];
    long skipped = first % 32;
    if (skipped) {
        long taken = count < 32 - skipped ? count : 32 - skipped;
        NAME(decode)(element, block, part);
        memcpy(out, part + skipped, (size_t)taken * sizeof(float));
        block += block_bytes, out += taken, count -= taken;
    }
    for (; count >= 32; count -= 32, block += block_bytes, out += 32) NAME(decode)(element, block, out);
    if (count > 0) {
        NAME(decode)(element, block, part);
        memcpy(out, part, (size_t)count * sizeof(float));
    }
}

static void NAME(widen)(amend_element element, const void *source, long first, const float *addend, long count, float *out) {
    switch (element) {
        case AMEND_Q4_0: NAME(widen_blocks)(element, 18, source, first, count, out); break;
        case AMEND_Q4_1: NAME(widen_blocks)(element, 20, source, first, count, out); break;
        case AMEND_Q5_0: NAME(widen_blocks)(element, 22, source, first, count, out); break;
        case AMEND_Q5_1: NAME(widen_blocks)(element, 24, source, first, count, out); break;
        case AMEND_Q8_0: NAME(widen_blocks)(element, 34, source, first, count, out); break;
        default: NAME(widen_plain)(element, source, first, count, out);
    }
    if (addend)
        for (long i = 0; i < count; i++) out[i] += addend[first + i];
}

// Asks for every cache line that has some of these bytes: they need not begin with one.
static inline __attribute__((always_inline)) void NAME(fetch)(const char *bytes, long count) {
    for (long i = 0; i < count; i += 64) __builtin_prefetch(bytes + i);
    __builtin_prefetch(bytes + count - 1);
}

// Packs `count` outer rows (of a: rows, of b: columns) × `depth` terms from (outer, inner) as [depth][width].
static void NAME(pack)(const amend_operand *x, long outer_stride, long inner_stride, long outer, long count, long inner, long depth,
                       float *out, long width, float *wide) {
    long first = outer * outer_stride + inner * inner_stride;
    if (x->element == AMEND_F32 && !x->addend) {
        const float *source = (const float *)x->data + first;
        if (inner_stride == 1) NAME(transpose)(source, outer_stride, count, depth, out, width);
        else NAME(copy)(source, inner_stride, count, depth, out, width);
    } else if (inner_stride == 1) {
        const long stride = depth + PADDING;
        for (long i = 0; i < count; i++) {
            const long next = first + (i + count) * outer_stride;  // what the next panel will want: pieces too short for the processor to foresee
            NAME(fetch)((const char *)x->data + bytes_of(x->element, next), bytes_of(x->element, depth));
            NAME(widen)(x->element, x->data, first + i * outer_stride, x->addend, depth, wide + i * stride);
        }
        NAME(transpose)(wide, stride, count, depth, out, width);
    } else {
        for (long p = 0; p < depth; p++) {
            NAME(widen)(x->element, x->data, first + p * inner_stride, x->addend, count, out + p * width);
            for (long j = count; j < width; j++) out[p * width + j] = 0;
        }
    }
}

// Floats from one packed panel of b to the next.
static inline long NAME(panel_stride)(long lines) { return lines * VECTORS * LANES + PANEL_PADDING; }

// [depth][columns] of row-major b -> panels of [lines][WIDTH], the first `depth` lines of each, reading each row's columns at once: rows lie
// pages apart. Inlined for each element, so that one row costs little more than its loads and stores.
static inline __attribute__((always_inline)) void NAME(copy_rows)(amend_element element, long unit_bytes, const amend_operand *b, long column,
                                                                  long columns, long first, long depth, long lines, float *out) {
    enum { WIDTH = VECTORS * LANES };
    float widened[GROUP * WIDTH] __attribute__((aligned(64)));
    const int is_block = element >= AMEND_Q4_0;
    const long whole = columns / WIDTH * WIDTH, unit = is_block ? 32 : 1;
    const long row_bytes = b->row_stride / unit * unit_bytes, bytes = (columns + unit - 1) / unit * unit_bytes;
    for (long p = 0; p < depth; p++) {
        const long place = (first + p) * b->row_stride + column;
        const float *source = widened;
        if (p + 8 < depth) {
            NAME(fetch)((const char *)b->data + place / unit * unit_bytes + 8 * row_bytes, bytes);
            if (b->addend) NAME(fetch)((const char *)(b->addend + place + 8 * b->row_stride), columns * (long)sizeof(float));
        }
        if (element == AMEND_F32) source = (const float *)b->data + place;
        else if (is_block) NAME(widen_blocks)(element, unit_bytes, b->data, place, columns, widened);
        else NAME(widen_plain)(element, b->data, place, columns, widened);
        float *row = out + p * WIDTH;
        if (b->addend) {
            const float *addend = b->addend + place;
            for (long j = 0; j < whole; j += WIDTH, row += NAME(panel_stride)(lines))
#pragma clang loop unroll(full)
                for (int v = 0; v < VECTORS; v++)
                    *(NAME(vector) *)(row + v * LANES) = *(const NAME(loose) *)(source + j + v * LANES) + *(const NAME(loose) *)(addend + j + v * LANES);
        } else {
            for (long j = 0; j < whole; j += WIDTH, row += NAME(panel_stride)(lines))
#pragma clang loop unroll(full)
                for (int v = 0; v < VECTORS; v++) *(NAME(vector) *)(row + v * LANES) = *(const NAME(loose) *)(source + j + v * LANES);
        }
        if (whole == columns) continue;
        for (long i = whole; i < columns; i++) row[i - whole] = b->addend ? source[i] + b->addend[place + i] : source[i];
        for (long i = columns - whole; i < WIDTH; i++) row[i] = 0;
    }
}

static void NAME(copy_group)(const amend_operand *b, long column, long columns, long first, long depth, long lines, float *out) {
    switch (b->element) {
        case AMEND_F32: NAME(copy_rows)(AMEND_F32, 4, b, column, columns, first, depth, lines, out); break;
        case AMEND_F16: NAME(copy_rows)(AMEND_F16, 2, b, column, columns, first, depth, lines, out); break;
        case AMEND_BF16: NAME(copy_rows)(AMEND_BF16, 2, b, column, columns, first, depth, lines, out); break;
        case AMEND_Q4_0: NAME(copy_rows)(AMEND_Q4_0, 18, b, column, columns, first, depth, lines, out); break;
        case AMEND_Q4_1: NAME(copy_rows)(AMEND_Q4_1, 20, b, column, columns, first, depth, lines, out); break;
        case AMEND_Q5_0: NAME(copy_rows)(AMEND_Q5_0, 22, b, column, columns, first, depth, lines, out); break;
        case AMEND_Q5_1: NAME(copy_rows)(AMEND_Q5_1, 24, b, column, columns, first, depth, lines, out); break;
        case AMEND_Q8_0: NAME(copy_rows)(AMEND_Q8_0, 34, b, column, columns, first, depth, lines, out); break;
    }
}

static void NAME(pack_group)(const amend_operand *b, long column, long columns, long first, long depth, long lines, float *out, float *wide) {
    enum { WIDTH = VECTORS * LANES };
    if (is_by_rows(b)) {
        NAME(copy_group)(b, column, columns, first, depth, lines, out);
        return;
    }
    for (long j = 0; j < columns; j += WIDTH, out += NAME(panel_stride)(lines))
        NAME(pack)(b, b->column_stride, b->row_stride, column + j, columns - j < WIDTH ? columns - j : WIDTH, first, depth, out, WIDTH, wide);
}

typedef uint32_t NAME(words) __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

// The bits of float32 rounded to the nearest bfloat16, ties to even; subnormal numbers to zero.
static inline __attribute__((always_inline)) NAME(words) NAME(rounded)(NAME(words) bits) {
    const NAME(words) magnitude = bits & 0x7FFFFFFF, is_subnormal = (NAME(words))(magnitude < 0x00800000);
    const NAME(words) is_nan = (NAME(words))(magnitude > 0x7F800000);
    const NAME(words) rounded = bits + ((0x7FFF + (bits >> 16 & 1)) & ~(is_subnormal | is_nan));
    return ((rounded & ~(is_subnormal & 0x7FFFFFFF)) | (is_nan & 0x00400000)) & 0xFFFF0000;
}

// Rounds a packed panel [depth][width] to bfloat16 and puts terms in the order of pairs. Where the processor multiplies pairs: both of a pair
// into 32 bits, the even one below. Elsewhere as float32, the odd one first: an ordinary product of exact terms then gives the same sums. An odd
// depth is made even with zeros. Whole vectors are read and written: where the width is no multiple of LANES, also past the end, and `out` lies
// elsewhere; else it may be `panel` or lie before it.
_Static_assert(ROWS % LANES == 0 || ROWS < LANES, "what a vector of the odd term writes past the end must be written again");
static inline __attribute__((always_inline)) void NAME(pair_terms)(const float *panel, long depth, long width, float *out) {
    for (long p = 0; p < depth; p += 2, panel += 2 * width, out += PAIRS ? width : 2 * width)
        for (long j = 0; j < width; j += LANES) {
            NAME(words) even = NAME(rounded)(*(const NAME(words) *)(panel + j)), odd = {0};
            if (p + 1 < depth) odd = NAME(rounded)(*(const NAME(words) *)(panel + width + j));
#if PAIRS
            *(NAME(words) *)(out + j) = odd | even >> 16;
#else
            *(NAME(words) *)(out + j) = odd;
            *(NAME(words) *)(out + width + j) = even;
#endif
        }
}

// Rounds a packed panel [depth][width] to bfloat16, as float32, and puts of every 32 terms the even ones before the odd ones. The last 32 are
// filled up with zeros. Writes whole vectors, as pair_terms does; `out` may be `panel` where the width is a multiple of LANES.
static inline __attribute__((always_inline)) void NAME(split_terms)(const float *panel, long depth, long width, float *out) {
    float block[32 * VECTORS * LANES + LANES] __attribute__((aligned(64)));
    for (long first = 0; first < depth; first += 32, out += 32 * width) {
        for (long line = 0; line < 32; line++) {
            const long p = first + line % 16 * 2 + line / 16;
            for (long j = 0; j < width; j += LANES) {
                NAME(words) rounded = {0};
                if (p < depth) rounded = NAME(rounded)(*(const NAME(words) *)(panel + p * width + j));
                *(NAME(words) *)(block + line * width + j) = rounded;
            }
        }
        memcpy(out, block, (size_t)(32 * width) * sizeof(float));
    }
}

// Lines of a packed panel of `terms` terms: a pair is one line where the processor multiplies pairs.
static inline long NAME(lines)(const product_t *product, long terms) {
    return padded(product->arithmetic, terms) / (PAIRS && product->arithmetic == AMEND_ARITHMETIC_BF16 ? 2 : 1);
}

static void NAME(pack_a)(void *context, long panel) {
    static _Thread_local float terms[BLOCK * ROWS + LANES] __attribute__((aligned(64))), pairs[BLOCK * ROWS + LANES] __attribute__((aligned(64)));
    const product_t *product = context;
    const int is_rounded = product->arithmetic != AMEND_ARITHMETIC_F32;
    long row = product->first_row + panel * ROWS;
    long count = product->last_row - row < ROWS ? product->last_row - row : ROWS;
    for (long first = 0; first < product->k; first += product->block) {
        long depth = product->k - first < product->block ? product->k - first : product->block;
        float *out = product->packed_a + NAME(lines)(product, first) * product->panels * ROWS + panel * ROWS * NAME(lines)(product, depth);
        NAME(pack)(&product->a, product->a.row_stride, product->a.column_stride, row, count, first, depth, is_rounded ? terms : out, ROWS, NULL);
        if (!is_rounded) continue;
        if (product->arithmetic == AMEND_ARITHMETIC_BF16) NAME(pair_terms)(terms, depth, ROWS, pairs);
        else NAME(split_terms)(terms, depth, ROWS, pairs);
        memcpy(out, pairs, (size_t)(NAME(lines)(product, depth) * ROWS) * sizeof(float));
    }
}

// A strip of panels of b: packed for one block of k at a time, then multiplied with all rows.
static inline __attribute__((always_inline)) void NAME(strip)(amend_arithmetic arithmetic, const product_t *product, long index) {
    enum { WIDTH = VECTORS * LANES };
    static _Thread_local float panels[GROUP * (BLOCK * WIDTH + PANEL_PADDING)] __attribute__((aligned(64)));
    static _Thread_local float wide[(BLOCK + PADDING) * WIDTH] __attribute__((aligned(64)));
    const strip_t strip = strip_of(product, index, WIDTH);
    const amend_target *target = &product->targets[strip.target];
    const long column = strip.panel * WIDTH;
    const long columns = target->n - column < strip.panels * WIDTH ? target->n - column : strip.panels * WIDTH;
    for (long first = 0; first < product->k; first += product->block) {
        long depth = product->k - first < product->block ? product->k - first : product->block;
        long lines = NAME(lines)(product, depth), packed = padded(arithmetic, depth);
        NAME(pack_group)(&target->b, column, columns, first, depth, packed, panels, wide);
        for (long j = 0; j < columns && arithmetic != AMEND_ARITHMETIC_F32; j += WIDTH) {
            float *panel = panels + j / WIDTH * NAME(panel_stride)(packed), *out = panels + j / WIDTH * NAME(panel_stride)(lines);
            if (arithmetic == AMEND_ARITHMETIC_BF16) NAME(pair_terms)(panel, depth, WIDTH, out);
            else NAME(split_terms)(panel, depth, WIDTH, out);
        }
        const unsigned long rounding = arithmetic == AMEND_ARITHMETIC_BF16_TILES ? flush_subnormal_numbers() : 0;
        const float *a = product->packed_a + NAME(lines)(product, first) * product->panels * ROWS;
        for (long top = product->first_row; top < product->last_row; top += ROWS_IN_CACHE) {
            long bottom = product->last_row - top < ROWS_IN_CACHE ? product->last_row : top + ROWS_IN_CACHE;
            for (long j = 0; j < columns; j += WIDTH) {
                long count = columns - j < WIDTH ? columns - j : WIDTH;
                const float *panel = a + (top - product->first_row) * lines, *right = panels + j / WIDTH * NAME(panel_stride)(lines);
                for (long row = top; row < bottom; row += ROWS, panel += ROWS * lines) {
                    long rows = bottom - row < ROWS ? bottom - row : ROWS;
                    float *c = target->c + row * target->c_stride + column + j;
                    const int goes_on = target->accumulate || first > 0;
                    if (arithmetic == AMEND_ARITHMETIC_BF16_TILES) NAME(tile_of_blocks)(lines, panel, right, c, target->c_stride, rows, count, goes_on);
                    else NAME(tile)(arithmetic == AMEND_ARITHMETIC_BF16 && PAIRS, lines, panel, right, c, target->c_stride, rows, count, goes_on);
                }
            }
        }
        if (arithmetic == AMEND_ARITHMETIC_BF16_TILES) restore_rounding(rounding);
    }
}

// Each by itself: in one function they take registers from one another.
static __attribute__((noinline)) void NAME(strip_f32)(const product_t *product, long strip) { NAME(strip)(AMEND_ARITHMETIC_F32, product, strip); }
static __attribute__((noinline)) void NAME(strip_bf16)(const product_t *product, long strip) { NAME(strip)(AMEND_ARITHMETIC_BF16, product, strip); }
static __attribute__((noinline)) void NAME(strip_tiles)(const product_t *product, long strip) {
    NAME(strip)(AMEND_ARITHMETIC_BF16_TILES, product, strip);
}

static void NAME(columns)(void *context, long strip) {
    const product_t *product = context;
    switch (product->arithmetic) {
        case AMEND_ARITHMETIC_F32: NAME(strip_f32)(product, strip); break;
        case AMEND_ARITHMETIC_BF16: NAME(strip_bf16)(product, strip); break;
        case AMEND_ARITHMETIC_BF16_TILES: NAME(strip_tiles)(product, strip); break;
    }
}

static const variant_t NAME(gemm_variant) = {ROWS, VECTORS * LANES, NAME(pack_a), NAME(columns), NAME(widen)};

#undef NAME
#undef PASTE
#undef PASTE2
#undef VARIANT
#undef LANES
#undef ROWS
#undef VECTORS
#undef FUSED
#undef PAIRS
