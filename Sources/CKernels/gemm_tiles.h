// The products of AMEND_ARITHMETIC_BF16_TILES on a processor with matrix tiles (Intel's AMX-BF16): included in gemm.c after the variant
// avx512bf16, whose decoding of stored elements it uses.
//
// A tile is [16][16] words of 32 bits. tdpbf16ps multiplies a left tile, 16 rows of 32 terms, with a right one, 16 pairs of terms for each of 16
// columns, and adds the 256 sums to a third. Both are packed as such tiles, and every packed tile is of use on either side: transposed as words, a
// left tile is a right one. So the side whose terms lie together in memory goes to the left, where nothing has to be transposed. Where that is b,
// the product is computed as cᵀ = bᵀ aᵀ, which changes no bit, and its sums are transposed as they leave; unless that transposes
// more than b. With few rows of a, a weight of bfloat16 then is not even packed: its rows hold left tiles as they are.

// Words of a tile, and of a block: the two tiles of 32 rows (or columns) and 32 terms.
enum { TILE = 256, TILED_BLOCK = 2 * TILE, TILED_ROWS = 32, TILED_TERMS = 32 };
// Rows of a at a time, and terms of them in a pass over b: both stay in the second-level cache, of which they take a MiB at most. Blocks of a panel of b
// that are multiplied with all these rows while they stay in the first-level cache. Panels of b packed together at most where b lies by rows.
enum { TILED_ROWS_AT_A_TIME = 512, TILED_IN_SECOND = 512 * 1024, TILED_INNER = 18, TILED_GROUP = 4 };
// Panels of a up to which tiles are loaded from b itself where it lies so: with more it pays to have them together in the first-level cache.
enum { PANELS_FROM_MEMORY = 2 };

typedef struct {
    long k, blocks;               // blocks of 32 terms
    long first_row, last_row;     // of a
    long pass;                    // blocks of k in a pass over b, but for the last
    long first_block, last_block; // of this pass
    long group;                   // panels of b in a strip
    amend_operand a;
    uint32_t *packed_a;           // [pass][panel][block][TILED_BLOCK]
    int a_is_left;
    int count;                    // of targets, all of which lie the same way
    const amend_target *targets;
    const long *first_strips;     // of each target, and the end
} tiled_t;

typedef __m512i tile_rows_t[16];

// ---- packing

// A block of 32 elements as bfloat16: every value that its numbers can stand for is computed and rounded once, and looked up.
static inline __attribute__((always_inline)) __m512i tiled_look_up(amend_element element, const uint8_t *block) {
    const int has_minimum = element == AMEND_Q4_1 || element == AMEND_Q5_1, has_fifth = element == AMEND_Q5_0 || element == AMEND_Q5_1;
    uint16_t halves[2];
    memcpy(halves, block, has_minimum ? 4 : 2);
    const __m512 scale = _mm512_cvtph_ps(_mm256_set1_epi16((short)halves[0]));
    __m512 low = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), high = _mm512_add_ps(low, _mm512_set1_ps(16));
    if (has_minimum) {
        const __m512 minimum = _mm512_cvtph_ps(_mm256_set1_epi16((short)halves[1]));
        low = _mm512_add_ps(_mm512_mul_ps(low, scale), minimum);
        high = _mm512_add_ps(_mm512_mul_ps(high, scale), minimum);
    } else {
        const __m512 middle = _mm512_set1_ps(has_fifth ? 16 : 8);
        low = _mm512_mul_ps(_mm512_sub_ps(low, middle), scale);
        high = _mm512_mul_ps(_mm512_sub_ps(high, middle), scale);
    }
    const uint8_t *fifth = block + (has_minimum ? 4 : 2);
    const __m256i nibbles = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(fifth + (has_fifth ? 4 : 0))));
    __m512i numbers = _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_and_si256(nibbles, _mm256_set1_epi16(15))), _mm256_srli_epi16(nibbles, 4), 1);
    if (!has_fifth) return _mm512_permutexvar_epi16(numbers, _mm512_castsi256_si512((__m256i)_mm512_cvtneps_pbh(low)));
    uint32_t bits;
    memcpy(&bits, fifth, 4);
    numbers = _mm512_mask_add_epi16(numbers, bits, numbers, _mm512_set1_epi16(16));
    return _mm512_permutexvar_epi16(numbers, (__m512i)_mm512_cvtne2ps_pbh(high, low));
}

// 32 elements from `place` on, rounded to bfloat16; zeros from the `count`th on. Rounding flushes subnormal numbers, which tiles do by themselves.
static inline __attribute__((always_inline)) __m512i tiled_line(amend_element element, long block_bytes, const amend_operand *x, int has_addend,
                                                                long place, long count) {
    const __mmask32 mask = count >= 32 ? ~0u : (1u << count) - 1;
    if (element == AMEND_BF16 && !has_addend) return _mm512_maskz_loadu_epi16(mask, (const uint16_t *)x->data + place);
    if (element >= AMEND_Q4_0 && element <= AMEND_Q5_1 && !has_addend)  // rows are whole blocks
        return _mm512_maskz_mov_epi16(mask, tiled_look_up(element, (const uint8_t *)x->data + place / 32 * block_bytes));
    __m512 low, high;
    if (element == AMEND_F32) {
        low = _mm512_maskz_loadu_ps((__mmask16)mask, (const float *)x->data + place);
        high = _mm512_maskz_loadu_ps((__mmask16)(mask >> 16), (const float *)x->data + place + 16);
    } else if (element == AMEND_F16) {
        const __m512i halves = _mm512_maskz_loadu_epi16(mask, (const uint16_t *)x->data + place);
        low = _mm512_cvtph_ps(_mm512_castsi512_si256(halves));
        high = _mm512_cvtph_ps(_mm512_extracti64x4_epi64(halves, 1));
    } else if (element == AMEND_BF16) {
        const __m512i halves = _mm512_maskz_loadu_epi16(mask, (const uint16_t *)x->data + place);
        low = (__m512)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(halves)), 16);
        high = (__m512)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(halves, 1)), 16);
    } else if (element == AMEND_Q8_0) {
        const uint8_t *block = (const uint8_t *)x->data + place / 32 * block_bytes;
        uint16_t half;
        memcpy(&half, block, 2);
        const __m512 scale = _mm512_cvtph_ps(_mm256_set1_epi16((short)half));
        low = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(block + 2)))), scale);
        high = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(block + 18)))), scale);
        low = _mm512_maskz_mov_ps((__mmask16)mask, low);
        high = _mm512_maskz_mov_ps((__mmask16)(mask >> 16), high);
    } else {
        float decoded[32] __attribute__((aligned(64)));
        decode_avx512bf16(element, (const uint8_t *)x->data + place / 32 * block_bytes, decoded);
        low = _mm512_maskz_loadu_ps((__mmask16)mask, decoded);
        high = _mm512_maskz_loadu_ps((__mmask16)(mask >> 16), decoded + 16);
    }
    if (has_addend) {
        low = _mm512_add_ps(low, _mm512_maskz_loadu_ps((__mmask16)mask, x->addend + place));
        high = _mm512_add_ps(high, _mm512_maskz_loadu_ps((__mmask16)(mask >> 16), x->addend + place + 16));
    }
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

// r[i][j] <- r[j][i]
static inline __attribute__((always_inline)) void tiled_transpose(__m512i r[16]) {
    __m512i t[16];
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
        r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

static void tiled_transpose_words(uint32_t *tile) {
    __m512i rows[16];
    for (int i = 0; i < 16; i++) rows[i] = _mm512_load_si512(tile + 16 * i);
    tiled_transpose(rows);
    for (int i = 0; i < 16; i++) _mm512_store_si512(tile + 16 * i, rows[i]);
}

// `count` outer rows from `outer` on, `depth` terms from `first` on, terms together in memory -> left tiles [block][2][16 rows][16 pairs].
static inline __attribute__((always_inline)) void tiled_pack_along(amend_element element, long block_bytes, const amend_operand *x, int has_addend,
                                                                   long stride, long outer, long count, long first, long depth, uint32_t *out) {
    enum { AHEAD = 8 };  // blocks of a row that are read together
    for (long start = 0; start < depth; start += AHEAD * TILED_TERMS)
        for (long i = 0; i < TILED_ROWS; i++) {
            uint32_t *row = out + start / TILED_TERMS * TILED_BLOCK + i * 16;
            const long end = depth - start < AHEAD * TILED_TERMS ? depth - start : AHEAD * TILED_TERMS;
            const long place = (outer + i) * stride + first + start;
            for (long p = 0; p < end; p += TILED_TERMS, row += TILED_BLOCK)
                _mm512_store_si512(row, i < count ? tiled_line(element, block_bytes, x, has_addend, place + p, end - p) : _mm512_setzero_si512());
        }
}

// The same where outer rows lie together in memory -> right tiles [block][2][16 pairs][16 rows] of one panel after another, `panel_words` apart.
static inline __attribute__((always_inline)) void tiled_pack_across(amend_element element, long block_bytes, const amend_operand *x, int has_addend,
                                                                    long stride, long outer, long count, long first, long depth, uint32_t *out,
                                                                    long panel_words) {
    const __m512i halves_of_lanes = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
    for (long p = 0; p < divided_up(depth, TILED_TERMS) * TILED_TERMS; p += 2) {
        uint32_t *row = out + p / TILED_TERMS * TILED_BLOCK + p % TILED_TERMS / 2 * 16;
        const long place = (first + p) * stride + outer;
        for (long j = 0; j < count; j += TILED_ROWS, row += panel_words) {
            __m512i even = _mm512_setzero_si512(), odd = even;
            if (p < depth) even = tiled_line(element, block_bytes, x, has_addend, place + j, count - j);
            if (p + 1 < depth) odd = tiled_line(element, block_bytes, x, has_addend, place + stride + j, count - j);
            even = _mm512_permutexvar_epi64(halves_of_lanes, even);
            odd = _mm512_permutexvar_epi64(halves_of_lanes, odd);
            _mm512_store_si512(row, _mm512_unpacklo_epi16(even, odd));
            _mm512_store_si512(row + TILE, _mm512_unpackhi_epi16(even, odd));
        }
    }
}

// Packs `count` outer rows of x (of a: rows, of b: columns), as left or right tiles.
static inline __attribute__((always_inline)) void tiled_pack_as(amend_element element, long block_bytes, const amend_operand *x, int has_addend,
                                                                long outer_stride, long inner_stride, long outer, long count, long first, long depth,
                                                                int is_left, uint32_t *out, long panel_words) {
    const int along = inner_stride == 1;
    if (along)
        for (long j = 0; j < count; j += TILED_ROWS)
            tiled_pack_along(element, block_bytes, x, has_addend, outer_stride, outer + j, count - j, first, depth,
                             out + j / TILED_ROWS * panel_words);
    else tiled_pack_across(element, block_bytes, x, has_addend, inner_stride, outer, count, first, depth, out, panel_words);
    if (along == is_left) return;
    for (long j = 0; j < count; j += TILED_ROWS)
        for (long tile = 0; tile < 2 * divided_up(depth, TILED_TERMS); tile++)
            tiled_transpose_words(out + j / TILED_ROWS * panel_words + tile * TILE);
}

#define TILED_PACK(ELEMENT, BYTES)                                                                                                             \
    case ELEMENT:                                                                                                                              \
        if (x->addend) tiled_pack_as(ELEMENT, BYTES, x, 1, outer_stride, inner_stride, outer, count, first, depth, is_left, out, panel_words); \
        else tiled_pack_as(ELEMENT, BYTES, x, 0, outer_stride, inner_stride, outer, count, first, depth, is_left, out, panel_words);           \
        break

static void tiled_pack(const amend_operand *x, long outer_stride, long inner_stride, long outer, long count, long first, long depth, int is_left,
                       uint32_t *out, long panel_words) {
    switch (x->element) {
        TILED_PACK(AMEND_F32, 128);
        TILED_PACK(AMEND_F16, 64);
        TILED_PACK(AMEND_BF16, 64);
        TILED_PACK(AMEND_Q4_0, 18);
        TILED_PACK(AMEND_Q4_1, 20);
        TILED_PACK(AMEND_Q5_0, 22);
        TILED_PACK(AMEND_Q5_1, 24);
        TILED_PACK(AMEND_Q8_0, 34);
    }
}
#undef TILED_PACK

// ---- multiplying

// Rows of memory that are asked for while tiles are multiplied and memory is idle, a few lines at a time: more at once would wait for one another.
typedef struct {
    const char *row;
    long rows, stride, bytes, step;  // stride: bytes between rows; step: between places in a row that are asked for
    long offset, at_a_time;
} wanted_t;

static inline wanted_t wanted_rows(const void *data, long rows, long stride, long bytes, long step, long times) {
    wanted_t wanted = {.row = data, .rows = rows, .stride = stride, .bytes = bytes, .step = step};
    wanted.at_a_time = divided_up(rows * divided_up(bytes, step), times);
    return wanted;
}

static inline __attribute__((always_inline)) void ask(wanted_t *wanted) {
    for (long i = wanted->at_a_time; i > 0 && wanted->rows > 0; i--) {
        __builtin_prefetch(wanted->row + wanted->offset, 0, 2);
        wanted->offset += wanted->step;
        if (wanted->offset < wanted->bytes) continue;
        wanted->offset = 0;
        wanted->row += wanted->stride;
        wanted->rows--;
    }
}

// What is wanted while two panels are multiplied: of an operand that is packed next and its addend, and of c.
typedef struct {
    wanted_t data, addend, c;
} all_wanted_t;

// The share `part` of `parts` of what tiled_pack will read, in `times` times.
static inline void want_operand(all_wanted_t *wanted, const amend_operand *x, long outer_stride, long inner_stride, long outer, long count,
                                long first, long depth, long part, long parts, long times) {
    enum { LINE = 64 };
    const int along = inner_stride == 1;
    const long stride = along ? outer_stride : inner_stride, lines = along ? count : depth, length = along ? depth : count;
    const long line = lines * part / parts, rows = lines * (part + 1) / parts - line;
    const long place = (along ? outer * stride + first : first * stride + outer) + line * stride;
    wanted->data = wanted_rows((const char *)x->data + bytes_of(x->element, place), rows, bytes_of(x->element, stride), bytes_of(x->element, length),
                               LINE, times);
    wanted->addend = (wanted_t){0};
    if (x->addend)
        wanted->addend = wanted_rows(x->addend + place, rows, stride * (long)sizeof(float), length * (long)sizeof(float), LINE, times);
}

// Where the left tiles of a panel lie: packed, or bfloat16 in a weight itself.
typedef struct {
    const char *first;
    long row_bytes, second, next;  // bytes from row to row, from the first tile to the second, and to the next block
} tiled_left;

static inline tiled_left tiled_packed(const uint32_t *packed) { return (tiled_left){(const char *)packed, 64, TILE * 4, TILED_BLOCK * 4}; }

// Where sums of a panel times a panel come from, and go to: tiles of rows `stride` floats apart. They come from zeros where there is no place.
typedef struct {
    float *place;
    long stride;
} tiled_sums;

#define LOAD_TILE(NUMBER, PLACE, BYTES, IS_STREAMED)                 \
    if (IS_STREAMED) _tile_stream_loadd(NUMBER, PLACE, BYTES); \
    else _tile_loadd(NUMBER, PLACE, BYTES)

// to = from + left times right over `blocks` blocks; of either side both tiles or the first. The panel of a is read past the first-level cache, where
// that of b stays.
static inline __attribute__((always_inline)) void tiled_multiply(int both_left, int both_right, int a_is_left, tiled_left left, const uint32_t *right,
                                                                 long blocks, tiled_sums from, tiled_sums to, all_wanted_t *wanted) {
    if (!from.place) {
        _tile_zero(0), _tile_zero(1), _tile_zero(2), _tile_zero(3);
    } else {
        const long bytes = from.stride * (long)sizeof(float);
        const float *below = from.place + 16 * from.stride;
        _tile_loadd(0, from.place, bytes);
        if (both_right) _tile_loadd(1, from.place + 16, bytes);
        if (both_left) _tile_loadd(2, below, bytes);
        if (both_left && both_right) _tile_loadd(3, below + 16, bytes);
    }
    for (long b = 0; b < blocks; b++, left.first += left.next, right += TILED_BLOCK) {
        LOAD_TILE(4, left.first, left.row_bytes, a_is_left);
        LOAD_TILE(6, right, 64, !a_is_left);
        _tile_dpbf16ps(0, 4, 6);
        if (both_right) {
            LOAD_TILE(7, right + TILE, 64, !a_is_left);
            _tile_dpbf16ps(1, 4, 7);
        }
        if (both_left) {
            LOAD_TILE(5, left.first + left.second, left.row_bytes, a_is_left);
            _tile_dpbf16ps(2, 5, 6);
            if (both_right) _tile_dpbf16ps(3, 5, 7);
        }
        ask(&wanted->data);
        ask(&wanted->addend);
        ask(&wanted->c);
    }
    const long bytes = to.stride * (long)sizeof(float);
    float *below = to.place + 16 * to.stride;
    _tile_stored(0, to.place, bytes);
    if (both_right) _tile_stored(1, to.place + 16, bytes);
    if (both_left) _tile_stored(2, below, bytes);
    if (both_left && both_right) _tile_stored(3, below + 16, bytes);
}
#undef LOAD_TILE

static inline __attribute__((always_inline)) void tiled_multiply_panels(long left_rows, long right_rows, int a_is_left, tiled_left left,
                                                                        const uint32_t *right, long blocks, tiled_sums from, tiled_sums to,
                                                                        all_wanted_t *wanted) {
    if (left_rows > 16 && right_rows > 16) tiled_multiply(1, 1, a_is_left, left, right, blocks, from, to, wanted);
    else if (left_rows > 16) tiled_multiply(1, 0, a_is_left, left, right, blocks, from, to, wanted);
    else if (right_rows > 16) tiled_multiply(0, 1, a_is_left, left, right, blocks, from, to, wanted);
    else tiled_multiply(0, 0, a_is_left, left, right, blocks, from, to, wanted);
}

// Moves sums [32][32] of `rows` × `columns` elements to c, or c to sums. `is_across`: sums are those of cᵀ.
static inline __attribute__((always_inline)) void tiled_move(float *sums, float *c, long c_stride, long rows, long columns, int is_across, int to_c) {
    for (long top = 0; top < rows; top += 16)
        for (long start = 0; start < columns; start += 16) {
            float *tile = sums + (is_across ? start * TILED_ROWS + top : top * TILED_ROWS + start);
            const long count = rows - top < 16 ? rows - top : 16;
            const __mmask16 mask = columns - start < 16 ? (__mmask16)((1u << (columns - start)) - 1) : 0xffff;
            float *out = c + top * c_stride + start;
            __m512i lines[16];
            if (to_c) {
#pragma clang loop unroll(full)
                for (int i = 0; i < 16; i++) lines[i] = _mm512_load_si512(tile + TILED_ROWS * i);
                if (is_across) tiled_transpose(lines);
#pragma clang loop unroll(full)
                for (int i = 0; i < 16; i++)
                    if (i < count) _mm512_mask_storeu_epi32(out + i * c_stride, mask, lines[i]);
            } else {
#pragma clang loop unroll(full)
                for (int i = 0; i < 16; i++)
                    lines[i] = i < count ? (__m512i)_mm512_maskz_loadu_ps(mask, out + i * c_stride) : _mm512_setzero_si512();
                if (is_across) tiled_transpose(lines);
#pragma clang loop unroll(full)
                for (int i = 0; i < 16; i++) _mm512_store_si512(tile + TILED_ROWS * i, lines[i]);
            }
        }
}

static void tiled_configure(void) {
    static const struct {
        uint8_t palette, start, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } configuration = {.palette = 1, .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};
    _tile_loadconfig(&configuration);
}

// See amend_multiply_tiles.
static double tiled_multiply_registers(long times) {
    uint16_t numbers[2 * TILE] __attribute__((aligned(64)));
    uint32_t state = 1;
    for (int i = 0; i < 2 * TILE; i++) state = state * 1664525 + 1013904223, numbers[i] = (uint16_t)(0x3c00 + (state >> 16 & 0x83ff));  // ±0.01 to 0.1
    tiled_configure();
    _tile_zero(0), _tile_zero(1), _tile_zero(2), _tile_zero(3);
    _tile_loadd(4, numbers, 64), _tile_loadd(5, numbers, 64), _tile_loadd(6, numbers, 64), _tile_loadd(7, numbers, 64);
    for (long i = 0; i < times; i++) _tile_dpbf16ps(0, 4, 6), _tile_dpbf16ps(1, 4, 7), _tile_dpbf16ps(2, 5, 6), _tile_dpbf16ps(3, 5, 7);
    _tile_release();
    return 4.0 * 2 * TILE * TILED_TERMS * (double)times;
}

static void tiled_left_side(void *context, long panel) {
    const tiled_t *product = context;
    const long row = product->first_row + panel * TILED_ROWS;
    const long count = product->last_row - row < TILED_ROWS ? product->last_row - row : TILED_ROWS;
    const long panels = divided_up(product->last_row - product->first_row, TILED_ROWS), terms = product->pass * TILED_TERMS;
    for (long first = 0; first < product->k; first += terms) {
        const long depth = product->k - first < terms ? product->k - first : terms, words = divided_up(depth, TILED_TERMS) * TILED_BLOCK;
        tiled_pack(&product->a, product->a.row_stride, product->a.column_stride, row, count, first, depth, product->a_is_left,
                   product->packed_a + first / TILED_TERMS * panels * TILED_BLOCK + panel * words, words);
    }
}

// Columns of a target, and the blocks of k that are multiplied with all rows of a at once.
typedef struct {
    const amend_target *target;
    long column, columns, first_block, blocks, first, depth;  // the last two in terms
} tiled_piece;

// Whether tiles can be loaded from b itself.
static inline int tiled_lies_in_tiles(const amend_operand *b, long k) {
    return b->element == AMEND_BF16 && !b->addend && b->row_stride == 1 && k % TILED_TERMS == 0;
}

// Blocks of the pass that are multiplied at once: all pieces about as long.
static inline long tiled_inner(const tiled_t *product) {
    const long blocks = product->last_block - product->first_block;
    return divided_up(blocks, divided_up(blocks, TILED_INNER));
}

static inline tiled_piece tiled_piece_of(const tiled_t *product, long strip, long first_block) {
    int t = 0;
    while (strip >= product->first_strips[t + 1]) t++;
    tiled_piece piece = {.target = &product->targets[t], .first_block = first_block, .first = first_block * TILED_TERMS};
    const long wide = product->group * TILED_ROWS, inner = tiled_inner(product);
    piece.column = (strip - product->first_strips[t]) * wide;
    piece.columns = piece.target->n - piece.column < wide ? piece.target->n - piece.column : wide;
    piece.blocks = product->last_block - first_block < inner ? product->last_block - first_block : inner;
    piece.depth = (piece.first + piece.blocks * TILED_TERMS < product->k ? piece.first + piece.blocks * TILED_TERMS : product->k) - piece.first;
    return piece;
}

// A panel of b times all rows of a: `packed`, unless NULL, when tiles are loaded from b itself. `sums`: [panel of a][32][32], between the pieces of a
// pass. Meanwhile asks for the share `part` of `parts` of `next`.
static inline __attribute__((always_inline)) void tiled_panel(const tiled_t *product, int a_is_left, const tiled_piece *piece, long column,
                                                              const uint32_t *packed, float *sums, const tiled_piece *next, long part, long parts) {
    const amend_target *target = piece->target;
    const int is_first = piece->first_block == product->first_block, is_last = piece->first_block + piece->blocks == product->last_block;
    const int goes_on = target->accumulate || product->first_block > 0;
    const long columns = target->n - column < TILED_ROWS ? target->n - column : TILED_ROWS, stride = target->c_stride;
    const long panels = divided_up(product->last_row - product->first_row, TILED_ROWS), pass = product->last_block - product->first_block;
    const uint32_t *a = product->packed_a + product->first_block * panels * TILED_BLOCK + (piece->first_block - product->first_block) * TILED_BLOCK;
    tiled_left b_tiles = tiled_packed(packed);
    if (!packed) {
        const long bytes = target->b.column_stride * 2;
        b_tiles = (tiled_left){(const char *)target->b.data + column * bytes + piece->first_block * 64, bytes, 16 * bytes, 64};
    }
    const amend_operand *b = &next->target->b;
    for (long panel = 0; panel < panels; panel++, a += pass * TILED_BLOCK, sums += TILED_ROWS * TILED_ROWS) {
        const long row = product->first_row + panel * TILED_ROWS, rows = product->last_row - row < TILED_ROWS ? product->last_row - row : TILED_ROWS;
        float *c = target->c + row * stride + column;
        all_wanted_t wanted;
        want_operand(&wanted, b, b->column_stride, b->row_stride, next->column, next->columns, next->first, next->depth, part * panels + panel,
                     parts * panels, piece->blocks);
        wanted.c = (wanted_t){0};
        const long later = product->last_row - row - TILED_ROWS;
        if ((goes_on ? is_first : is_last) && later > 0)
            wanted.c = wanted_rows(c + TILED_ROWS * stride, later < TILED_ROWS ? later : TILED_ROWS, stride * (long)sizeof(float),
                                   columns * (long)sizeof(float), 64, piece->blocks);
        const int is_direct = a_is_left && rows == TILED_ROWS && columns == TILED_ROWS;
        const tiled_sums between = {sums, TILED_ROWS}, outside = is_direct ? (tiled_sums){c, stride} : between;
        const tiled_sums from = !is_first ? between : goes_on ? outside : (tiled_sums){0}, to = is_last ? outside : between;
        if (is_first && goes_on && !is_direct) tiled_move(sums, c, stride, rows, columns, !a_is_left, 0);
        if (a_is_left) tiled_multiply_panels(rows, columns, 1, tiled_packed(a), packed, piece->blocks, from, to, &wanted);
        else tiled_multiply_panels(columns, rows, 0, b_tiles, a, piece->blocks, from, to, &wanted);
        if (is_last && !is_direct) tiled_move(sums, c, stride, rows, columns, !a_is_left, 1);
    }
}

// What this thread keeps of a strip in the second-level cache.
typedef struct {
    uint32_t packed[TILED_GROUP][TILED_INNER * TILED_BLOCK];
    float sums[TILED_GROUP][TILED_ROWS_AT_A_TIME * TILED_ROWS];
} tiled_space;

static void tiled_strip(void *context, long index) {
    static _Thread_local tiled_space space __attribute__((aligned(64)));
    const tiled_t *product = context;
    const long strips = product->first_strips[product->count], later = index + amend_pool_threads();  // what this thread will probably take next
    const int is_short = product->last_row - product->first_row <= PANELS_FROM_MEMORY * TILED_ROWS;
    tiled_configure();
    for (long block = product->first_block, end; block < product->last_block; block = end) {
        const tiled_piece piece = tiled_piece_of(product, index, block);
        const amend_operand *b = &piece.target->b;
        const long panels = divided_up(piece.columns, TILED_ROWS);
        end = block + piece.blocks;
        tiled_piece next = piece;
        if (end < product->last_block) next = tiled_piece_of(product, index, end);
        else if (later < strips) next = tiled_piece_of(product, later, product->first_block);
        else next.depth = next.columns = 0;
        const int is_packed = product->a_is_left || !is_short || !tiled_lies_in_tiles(b, product->k) || piece.columns % TILED_ROWS;
        if (is_packed)
            tiled_pack(b, b->column_stride, b->row_stride, piece.column, piece.columns, piece.first, piece.depth, !product->a_is_left,
                       space.packed[0], TILED_INNER * TILED_BLOCK);
        for (long j = 0; j < panels; j++) {
            const uint32_t *packed = is_packed ? space.packed[j] : NULL;
            if (product->a_is_left) tiled_panel(product, 1, &piece, piece.column + j * TILED_ROWS, packed, space.sums[j], &next, j, panels);
            else tiled_panel(product, 0, &piece, piece.column + j * TILED_ROWS, packed, space.sums[j], &next, j, panels);
        }
    }
    _tile_release();
}

// Targets that all lie the same way. See gemm.c for what has been checked.
static void tiled_gemm(long m, long k, amend_operand a, int count, const amend_target *targets) {
    const int by_rows = is_by_rows(&targets[0].b);
    long panels = 0, first_strips[MOST_TARGETS + 1] = {0}, n = 0;
    for (int t = 0; t < count; t++) panels += divided_up(targets[t].n, TILED_ROWS), n += targets[t].n;
    long group = by_rows ? TILED_GROUP : 1;
    while (group > 1 && panels / group < 4 * amend_pool_threads()) group /= 2;
    for (int t = 0; t < count; t++) first_strips[t + 1] = first_strips[t] + divided_up(divided_up(targets[t].n, TILED_ROWS), group);
    tiled_t product = {.k = k, .blocks = divided_up(k, TILED_TERMS), .group = group, .a = a, .count = count, .targets = targets,
                       .first_strips = first_strips};
    // Computed across, sums and a are transposed, and b is not.
    product.a_is_left = by_rows || 2.0 * (double)m * (double)n + (double)m * (double)k > (double)n * (double)k;
    const long most_rows = divided_up(divided_up(m, TILED_ROWS), divided_up(m, TILED_ROWS_AT_A_TIME)) * TILED_ROWS;
    product.pass = TILED_IN_SECOND / most_rows / TILED_TERMS;
    product.pass = divided_up(product.blocks, divided_up(product.blocks, product.pass));
    for (long row = 0; row < m; row += most_rows) {
        product.first_row = row;
        product.last_row = m - row < most_rows ? m : row + most_rows;
        const long row_panels = divided_up(product.last_row - row, TILED_ROWS);
        product.packed_a = (uint32_t *)packing_space((size_t)(row_panels * product.blocks * TILED_BLOCK));
        const int is_short = 2.0 * (double)(product.last_row - row) * n * k < 4e5;  // shorter than waking a thread
        if (is_short) for (long i = 0; i < row_panels; i++) tiled_left_side(&product, i);
        else amend_pool_run(row_panels, tiled_left_side, &product);
        for (long block = 0; block < product.blocks; block += product.pass) {
            product.first_block = block;
            product.last_block = product.blocks - block < product.pass ? product.blocks : block + product.pass;
            if (is_short) for (long i = 0; i < first_strips[count]; i++) tiled_strip(&product, i);
            else amend_pool_run(first_strips[count], tiled_strip, &product);
        }
    }
}
