// The products of AMEND_ARITHMETIC_BF16_TILES on a processor with matrix tiles (Intel's AMX-BF16): included in gemm.c after the variant
// avx512bf16, whose decoding of stored elements it uses.
//
// A tile is [16][16] words of 32 bits. tdpbf16ps multiplies a left tile, 16 rows of 32 terms, with a right one, 16 pairs of terms for each of 16
// columns, and adds the 256 sums to a third. Both are packed as such tiles, and every packed tile is of use on either side: transposed as words, a
// left tile is a right one. So the side whose terms lie together in memory goes to the left, where nothing has to be transposed. Where that is b,
// the product is computed as cᵀ = bᵀ aᵀ, which changes no bit, and its sums are transposed as they leave; unless rows of a are many. A weight of
// bfloat16 then is not even packed: its rows hold left tiles as they are.

// Words of a tile, and of a block: the two tiles of 32 rows (or columns) and 32 terms.
enum { TILE = 256, TILED_BLOCK = 2 * TILE, TILED_ROWS = 32, TILED_TERMS = 32 };
// Terms of k in a pass, and rows of a at a time, for which both packed sides stay in the second-level cache; panels of b packed together at most
// where b lies by rows.
enum { TILED_OUTER = 1024, TILED_ROWS_AT_A_TIME = 256, TILED_GROUP = 4 };
// Rows of a up to which a product is computed across, so that b need not be transposed: with more, transposing sums takes longer. Where tiles
// are loaded from b itself it need not be packed either.
enum { ROWS_ACROSS = 96, ROWS_ACROSS_IN_TILES = 192 };

typedef struct {
    long k, blocks;               // blocks of 32 terms
    long first_row, last_row;     // of a
    long first_block, last_block; // of k, in this pass
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

// The share `part` of `parts` of what tiled_pack will read, in `times` times. A line brings its neighbour along.
static inline void want_operand(all_wanted_t *wanted, const amend_operand *x, long outer_stride, long inner_stride, long outer, long count,
                                long first, long depth, long part, long parts, long times) {
    enum { TWO_LINES = 128 };
    const int along = inner_stride == 1;
    const long stride = along ? outer_stride : inner_stride, lines = along ? count : depth, length = along ? depth : count;
    const long line = lines * part / parts, rows = lines * (part + 1) / parts - line;
    const long place = (along ? outer * stride + first : first * stride + outer) + line * stride;
    wanted->data = wanted_rows((const char *)x->data + bytes_of(x->element, place), rows, bytes_of(x->element, stride), bytes_of(x->element, length),
                               TWO_LINES, times);
    wanted->addend = (wanted_t){0};
    if (x->addend)
        wanted->addend = wanted_rows(x->addend + place, rows, stride * (long)sizeof(float), length * (long)sizeof(float), TWO_LINES, times);
}

// Where the left tiles of a panel lie: packed, or bfloat16 in a weight itself.
typedef struct {
    const char *first;
    long row_bytes, second, next;  // bytes from row to row, from the first tile to the second, and to the next block
} tiled_left;

static inline tiled_left tiled_packed(const uint32_t *packed) { return (tiled_left){(const char *)packed, 64, TILE * 4, TILED_BLOCK * 4}; }

// sums, tiles of rows `stride` floats apart, += left times right over `blocks` blocks; of either side both tiles or the first.
static inline __attribute__((always_inline)) void tiled_multiply(int both_left, int both_right, tiled_left left, const uint32_t *right, long blocks,
                                                                 float *sums, long stride, int from_zero, all_wanted_t wanted) {
    const long bytes = stride * (long)sizeof(float);
    float *below = sums + 16 * stride;
    if (from_zero) {
        _tile_zero(0), _tile_zero(1), _tile_zero(2), _tile_zero(3);
    } else {
        _tile_loadd(0, sums, bytes);
        if (both_right) _tile_loadd(1, sums + 16, bytes);
        if (both_left) _tile_loadd(2, below, bytes);
        if (both_left && both_right) _tile_loadd(3, below + 16, bytes);
    }
    for (long b = 0; b < blocks; b++, left.first += left.next, right += TILED_BLOCK) {
        _tile_loadd(4, left.first, left.row_bytes);
        _tile_loadd(6, right, 64);
        _tile_dpbf16ps(0, 4, 6);
        if (both_right) {
            _tile_loadd(7, right + TILE, 64);
            _tile_dpbf16ps(1, 4, 7);
        }
        if (both_left) {
            _tile_loadd(5, left.first + left.second, left.row_bytes);
            _tile_dpbf16ps(2, 5, 6);
            if (both_right) _tile_dpbf16ps(3, 5, 7);
        }
        ask(&wanted.data);
        ask(&wanted.addend);
        ask(&wanted.c);
    }
    _tile_stored(0, sums, bytes);
    if (both_right) _tile_stored(1, sums + 16, bytes);
    if (both_left) _tile_stored(2, below, bytes);
    if (both_left && both_right) _tile_stored(3, below + 16, bytes);
}

static inline __attribute__((always_inline)) void tiled_multiply_panels(long left_rows, long right_rows, tiled_left left, const uint32_t *right,
                                                                        long blocks, float *sums, long stride, int from_zero, all_wanted_t wanted) {
    if (left_rows > 16 && right_rows > 16) tiled_multiply(1, 1, left, right, blocks, sums, stride, from_zero, wanted);
    else if (left_rows > 16) tiled_multiply(1, 0, left, right, blocks, sums, stride, from_zero, wanted);
    else if (right_rows > 16) tiled_multiply(0, 1, left, right, blocks, sums, stride, from_zero, wanted);
    else tiled_multiply(0, 0, left, right, blocks, sums, stride, from_zero, wanted);
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

static void tiled_left_side(void *context, long panel) {
    const tiled_t *product = context;
    const long row = product->first_row + panel * TILED_ROWS;
    const long count = product->last_row - row < TILED_ROWS ? product->last_row - row : TILED_ROWS;
    const long panels = divided_up(product->last_row - product->first_row, TILED_ROWS);
    for (long first = 0; first < product->k; first += TILED_OUTER) {
        const long depth = product->k - first < TILED_OUTER ? product->k - first : TILED_OUTER, words = divided_up(depth, TILED_TERMS) * TILED_BLOCK;
        tiled_pack(&product->a, product->a.row_stride, product->a.column_stride, row, count, first, depth, product->a_is_left,
                   product->packed_a + first / TILED_TERMS * panels * TILED_BLOCK + panel * words, words);
    }
}

// Part of a target's b.
typedef struct {
    const amend_target *target;
    long column, columns, first, depth;
} tiled_piece;

// Whether tiles can be loaded from b itself.
static inline int tiled_lies_in_tiles(const amend_operand *b, long k) {
    return b->element == AMEND_BF16 && !b->addend && b->row_stride == 1 && k % TILED_TERMS == 0;
}

// One panel of b times all rows of a: `packed`, unless NULL, when tiles are loaded from b itself. Meanwhile asks for the share `part` of `parts` of
// `next`.
static inline __attribute__((always_inline)) void tiled_panel(const tiled_t *product, const amend_target *target, long column, const uint32_t *packed,
                                                              const tiled_piece *next, long part, long parts) {
    static _Thread_local float sums[TILED_ROWS * TILED_ROWS] __attribute__((aligned(64)));
    const long columns = target->n - column < TILED_ROWS ? target->n - column : TILED_ROWS, blocks = product->last_block - product->first_block;
    const int goes_on = target->accumulate || product->first_block > 0, is_across = !product->a_is_left;
    const long panels = divided_up(product->last_row - product->first_row, TILED_ROWS), stride = target->c_stride;
    const uint32_t *a = product->packed_a + product->first_block * panels * TILED_BLOCK;
    tiled_left b_tiles = tiled_packed(packed);
    if (!packed) {
        const long bytes = target->b.column_stride * 2;
        b_tiles = (tiled_left){(const char *)target->b.data + column * bytes + product->first_block * 64, bytes, 16 * bytes, 64};
    }
    for (long panel = 0; panel < panels; panel++, a += blocks * TILED_BLOCK) {
        const long row = product->first_row + panel * TILED_ROWS, rows = product->last_row - row < TILED_ROWS ? product->last_row - row : TILED_ROWS;
        float *c = target->c + row * stride + column;
        const amend_operand *b = &next->target->b;
        all_wanted_t wanted;
        want_operand(&wanted, b, b->column_stride, b->row_stride, next->column, next->columns, next->first, next->depth, part * panels + panel,
                     parts * panels, blocks);
        const long later = product->last_row - row - TILED_ROWS;
        wanted.c = wanted_rows(c + TILED_ROWS * stride, later < 0 ? 0 : later < TILED_ROWS ? later : TILED_ROWS, stride * (long)sizeof(float),
                               columns * (long)sizeof(float), 64, blocks);
        const int is_direct = !is_across && rows == TILED_ROWS && columns == TILED_ROWS;
        float *out = is_direct ? c : sums;
        const long out_stride = is_direct ? stride : TILED_ROWS;
        if (goes_on && !is_direct) tiled_move(sums, c, stride, rows, columns, is_across, 0);
        if (is_across) tiled_multiply_panels(columns, rows, b_tiles, a, blocks, out, out_stride, !goes_on, wanted);
        else tiled_multiply_panels(rows, columns, tiled_packed(a), packed, blocks, out, out_stride, !goes_on, wanted);
        if (!is_direct) tiled_move(sums, c, stride, rows, columns, is_across, 1);
    }
}

static tiled_piece tiled_piece_of(const tiled_t *product, long strip) {
    int t = 0;
    while (strip >= product->first_strips[t + 1]) t++;
    tiled_piece piece = {.target = &product->targets[t], .first = product->first_block * TILED_TERMS};
    const long wide = product->group * TILED_ROWS, end = product->last_block * TILED_TERMS;
    piece.column = (strip - product->first_strips[t]) * wide;
    piece.columns = piece.target->n - piece.column < wide ? piece.target->n - piece.column : wide;
    piece.depth = (end < product->k ? end : product->k) - piece.first;
    return piece;
}

static void tiled_strip(void *context, long index) {
    static _Thread_local uint32_t packed[TILED_GROUP * TILED_OUTER / TILED_TERMS * TILED_BLOCK] __attribute__((aligned(64)));
    const tiled_t *product = context;
    const tiled_piece piece = tiled_piece_of(product, index);
    const long strips = product->first_strips[product->count], later = index + amend_pool_threads();  // what this thread will probably take next
    tiled_piece next = piece;
    if (later < strips) next = tiled_piece_of(product, later);
    else next.depth = next.columns = 0;
    const amend_operand *b = &piece.target->b;
    const long panel_words = (product->last_block - product->first_block) * TILED_BLOCK, panels = divided_up(piece.columns, TILED_ROWS);
    tiled_configure();
    if (!product->a_is_left && tiled_lies_in_tiles(b, product->k) && piece.columns % TILED_ROWS == 0) {
        for (long j = 0; j < panels; j++) tiled_panel(product, piece.target, piece.column + j * TILED_ROWS, NULL, &next, j, panels);
    } else {
        tiled_pack(b, b->column_stride, b->row_stride, piece.column, piece.columns, piece.first, piece.depth, !product->a_is_left, packed,
                   panel_words);
        for (long j = 0; j < panels; j++)
            tiled_panel(product, piece.target, piece.column + j * TILED_ROWS, packed + j * panel_words, &next, j, panels);
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
    product.a_is_left = by_rows || m > (tiled_lies_in_tiles(&targets[0].b, k) ? ROWS_ACROSS_IN_TILES : ROWS_ACROSS);
    for (long row = 0; row < m; row += TILED_ROWS_AT_A_TIME) {
        product.first_row = row;
        product.last_row = m - row < TILED_ROWS_AT_A_TIME ? m : row + TILED_ROWS_AT_A_TIME;
        const long row_panels = divided_up(product.last_row - row, TILED_ROWS);
        product.packed_a = (uint32_t *)packing_space((size_t)(row_panels * product.blocks * TILED_BLOCK));
        const int is_short = 2.0 * (double)(product.last_row - row) * n * k < 4e5;  // shorter than waking a thread
        if (is_short) for (long i = 0; i < row_panels; i++) tiled_left_side(&product, i);
        else amend_pool_run(row_panels, tiled_left_side, &product);
        for (long block = 0; block < product.blocks; block += TILED_OUTER / TILED_TERMS) {
            product.first_block = block;
            product.last_block = product.blocks - block < TILED_OUTER / TILED_TERMS ? product.blocks : block + TILED_OUTER / TILED_TERMS;
            if (is_short) for (long i = 0; i < first_strips[count]; i++) tiled_strip(&product, i);
            else amend_pool_run(first_strips[count], tiled_strip, &product);
        }
    }
}
