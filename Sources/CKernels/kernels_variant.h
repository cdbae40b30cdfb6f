// One instruction set's half of kernels.c: included with VARIANT and FUSED defined.
#define PASTE2(a, b) a##_##b
#define PASTE(a, b) PASTE2(a, b)
#define NAME(x) PASTE(x, VARIANT)

static inline __attribute__((always_inline)) wide_t NAME(fma)(wide_t a, wide_t b, wide_t c) {
#if FUSED
    return __builtin_elementwise_fma(a, b, c);
#else
    return a * b + c;
#endif
}

static inline __attribute__((always_inline)) float NAME(fma1)(float a, float b, float c) {
#if FUSED
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
}

static inline __attribute__((always_inline)) wide_t NAME(load)(const float *x) { return *(const wide_loose_t *)x; }
static inline __attribute__((always_inline)) void NAME(store)(float *x, wide_t v) { *(wide_loose_t *)x = v; }

// The first `count` (fewer than LANES) elements; the rest `fill`.
static inline __attribute__((always_inline)) wide_t NAME(load_some)(const float *x, long count, float fill) {
    float whole[LANES];
    for (long i = 0; i < LANES; i++) whole[i] = i < count ? x[i] : fill;
    return NAME(load)(whole);
}

static inline __attribute__((always_inline)) void NAME(store_some)(float *x, wide_t v, long count) {
    float whole[LANES];
    NAME(store)(whole, v);
    for (long i = 0; i < count; i++) x[i] = whole[i];
}

static inline __attribute__((always_inline)) float NAME(total)(wide_t v) {
    float x[LANES];
    NAME(store)(x, v);
    for (int step = LANES / 2; step; step /= 2)
        for (int i = 0; i < step; i++) x[i] += x[i + step];
    return x[0];
}

// Runs BODY with `x`-like loads for whole vectors and then for the rest.
#define FOR_EACH(n, WHOLE, REST)          \
    do {                                  \
        long i = 0;                       \
        for (; i + LANES <= (n); i += LANES) { WHOLE; } \
        long rest = (n) - i;              \
        if (rest > 0) { REST; }           \
    } while (0)

// e^x, within 2 units in the last place (Cephes' expf): 2^k · p(r), r = x − k ln 2. Below −87.3 the result is 0; a NaN
// stays one.
static inline __attribute__((always_inline)) wide_t NAME(exp)(wide_t x) {
    const wide_t zero = {0};
    const wide_int_t low = x < zero - 87.33654f, nan = x != x, given = (wide_int_t)x;
    x = __builtin_elementwise_min(__builtin_elementwise_max(x, zero - 87.33654f), zero + 88.37626f);
    wide_t k = __builtin_elementwise_rint(x * 1.44269504088896341f);
    wide_t r = NAME(fma)(k, zero - 0.693359375f, x);
    r = NAME(fma)(k, zero + 2.12194440e-4f, r);
    wide_t p = zero + 1.9875691500e-4f;
    p = NAME(fma)(p, r, zero + 1.3981999507e-3f);
    p = NAME(fma)(p, r, zero + 8.3334519073e-3f);
    p = NAME(fma)(p, r, zero + 4.1665795894e-2f);
    p = NAME(fma)(p, r, zero + 1.6666665459e-1f);
    p = NAME(fma)(p, r, zero + 5.0000001201e-1f);
    p = NAME(fma)(p, r * r, r) + 1.0f;
    wide_int_t bits = (__builtin_convertvector(k, wide_int_t) + 127) << 23;
    return (wide_t)((nan & given) | (~nan & ~low & (wide_int_t)(p * (wide_t)bits)));
}

static inline __attribute__((always_inline)) wide_t NAME(sigmoid)(wide_t x) { return 1.0f / (1.0f + NAME(exp)(-x)); }

static float NAME(dot)(const float *x, const float *y, long n) {
    wide_t sum = {0};
    FOR_EACH(n, sum = NAME(fma)(NAME(load)(x + i), NAME(load)(y + i), sum),
             sum = NAME(fma)(NAME(load_some)(x + i, rest, 0), NAME(load_some)(y + i, rest, 0), sum));
    return NAME(total)(sum);
}

static double NAME(dot_double)(const float *x, const float *y, long n) {
    wide_double_t sum = {0};
    FOR_EACH(n, sum += __builtin_convertvector(NAME(load)(x + i), wide_double_t) * __builtin_convertvector(NAME(load)(y + i), wide_double_t),
             sum += __builtin_convertvector(NAME(load_some)(x + i, rest, 0), wide_double_t)
                 * __builtin_convertvector(NAME(load_some)(y + i, rest, 0), wide_double_t));
    double total = 0;
    for (int i = 0; i < LANES; i++) total += sum[i];
    return total;
}

static void NAME(add)(float *y, const float *x, long n) {
    for (long i = 0; i < n; i++) y[i] += x[i];
}

static void NAME(axpy)(float *y, float a, const float *x, long n) {
    for (long i = 0; i < n; i++) y[i] = NAME(fma1)(a, x[i], y[i]);
}

static void NAME(scale)(float *y, float a, long n) {
    for (long i = 0; i < n; i++) y[i] *= a;
}

static void NAME(subtract)(float *out, const float *x, const float *y, long n) {
    for (long i = 0; i < n; i++) out[i] = x[i] - y[i];
}

static void NAME(rms_norm_forward)(float *out, const float *x, const float *weight, long n, float epsilon) {
    float inverse = 1.0f / sqrtf(NAME(dot)(x, x, n) / (float)n + epsilon);
    for (long i = 0; i < n; i++) out[i] = weight[i] * (x[i] * inverse);
}

static void NAME(rms_norm_backward)(float *dx, const float *dout, const float *x, const float *weight, long n, float epsilon) {
    float inverse = 1.0f / sqrtf(NAME(dot)(x, x, n) / (float)n + epsilon);
    wide_t sum = {0};
    FOR_EACH(n, sum = NAME(fma)(NAME(load)(dout + i) * NAME(load)(weight + i), NAME(load)(x + i), sum),
             sum = NAME(fma)(NAME(load_some)(dout + i, rest, 0) * NAME(load_some)(weight + i, rest, 0), NAME(load_some)(x + i, rest, 0), sum));
    float along = NAME(total)(sum) * inverse * inverse / (float)n;
    for (long i = 0; i < n; i++) dx[i] += inverse * (dout[i] * weight[i] - x[i] * along);
}

static float NAME(mean)(const float *x, long n) {
    wide_t sum = {0};
    FOR_EACH(n, sum += NAME(load)(x + i), sum += NAME(load_some)(x + i, rest, 0));
    return NAME(total)(sum) / (float)n;
}

// 1 / sqrt(variance + epsilon)
static float NAME(inverse_deviation)(const float *x, float mean, long n, float epsilon) {
    wide_t sum = {0};
    FOR_EACH(n, wide_t d = NAME(load)(x + i) - mean; sum = NAME(fma)(d, d, sum),
             wide_t d = NAME(load_some)(x + i, rest, mean) - mean; sum = NAME(fma)(d, d, sum));
    return 1.0f / sqrtf(NAME(total)(sum) / (float)n + epsilon);
}

static void NAME(layer_norm_forward)(float *out, const float *x, const float *weight, const float *bias, long n, float epsilon) {
    float mean = NAME(mean)(x, n), inverse = NAME(inverse_deviation)(x, mean, n, epsilon);
    for (long i = 0; i < n; i++) out[i] = NAME(fma1)(weight[i], (x[i] - mean) * inverse, bias[i]);
}

static void NAME(layer_norm_backward)(float *dx, const float *dout, const float *x, const float *weight, long n, float epsilon) {
    float mean = NAME(mean)(x, n), inverse = NAME(inverse_deviation)(x, mean, n, epsilon);
    wide_t sum = {0}, along = {0};
    FOR_EACH(n, wide_t g = NAME(load)(dout + i) * NAME(load)(weight + i); sum += g; along = NAME(fma)(g, (NAME(load)(x + i) - mean) * inverse, along),
             wide_t g = NAME(load_some)(dout + i, rest, 0) * NAME(load_some)(weight + i, rest, 0); sum += g;
             along = NAME(fma)(g, (NAME(load_some)(x + i, rest, mean) - mean) * inverse, along));
    float constant = NAME(total)(sum) / (float)n, slope = NAME(total)(along) / (float)n;
    for (long i = 0; i < n; i++) dx[i] += inverse * (dout[i] * weight[i] - constant - (x[i] - mean) * inverse * slope);
}

static void NAME(rotate_pairs)(float *x, const float *cosines, const float *sines, long n, int inverse) {
    float sign = inverse ? -1.0f : 1.0f;
    for (long i = 0; i < n / 2; i++) {
        float a = x[2 * i], b = x[2 * i + 1], s = sign * sines[i];
        x[2 * i] = a * cosines[i] - b * s;
        x[2 * i + 1] = b * cosines[i] + a * s;
    }
}

static void NAME(rotate_halves)(float *x, const float *cosines, const float *sines, long n, int inverse) {
    long half = n / 2;
    float sign = inverse ? -1.0f : 1.0f;
    for (long i = 0; i < half; i++) {
        float a = x[i], b = x[i + half], s = sign * sines[i];
        x[i] = a * cosines[i] - b * s;
        x[i + half] = b * cosines[i] + a * s;
    }
}

// tanh x (Cephes' tanhf): a polynomial near zero, else 1 − 2 / (e^{2|x|} + 1) with the sign of x.
static inline __attribute__((always_inline)) wide_t NAME(tanh)(wide_t x) {
    const wide_t zero = {0};
    const wide_int_t sign = (wide_int_t)x & (int32_t)0x80000000;
    const wide_t size = (wide_t)((wide_int_t)x & 0x7fffffff), square = x * x;
    wide_t p = zero - 5.70498872745e-3f;
    p = NAME(fma)(p, square, zero + 2.06390887954e-2f);
    p = NAME(fma)(p, square, zero - 5.37397155531e-2f);
    p = NAME(fma)(p, square, zero + 1.33314422036e-1f);
    p = NAME(fma)(p, square, zero - 3.33332819422e-1f);
    const wide_t near = NAME(fma)(p * square, x, x), far = 1.0f - 2.0f / (NAME(exp)(2.0f * size) + 1.0f);
    const wide_int_t small = size < zero + 0.625f;
    return (wide_t)((small & (wide_int_t)near) | (~small & ((wide_int_t)far | sign)));
}

// Activations, and gradients d taken back through them. GELU in its tanh form: x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))).
static inline __attribute__((always_inline)) wide_t NAME(silu)(wide_t x) { return x * NAME(sigmoid)(x); }

static inline __attribute__((always_inline)) wide_t NAME(silu_back)(wide_t d, wide_t x) {
    wide_t s = NAME(sigmoid)(x);
    return d * s * (1.0f + x * (1.0f - s));
}

static inline __attribute__((always_inline)) wide_t NAME(gelu_tanh)(wide_t x) {
    return 0.5f * x * (1.0f + NAME(tanh)(0.7978845608f * (x + 0.044715f * x * x * x)));
}

// Beyond ±15 the slope is 0 or 1 to the last bit, and x³ would overflow.

static inline __attribute__((always_inline)) wide_t NAME(gelu_tanh_back)(wide_t d, wide_t x) {
    const wide_int_t nan = x != x, given = (wide_int_t)x;
    x = __builtin_elementwise_min(__builtin_elementwise_max(x, (wide_t){0} - 15.0f), (wide_t){0} + 15.0f);
    x = (wide_t)((nan & given) | (~nan & (wide_int_t)x));
    wide_t t = NAME(tanh)(0.7978845608f * (x + 0.044715f * x * x * x));
    return d * (0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * (0.7978845608f * (1.0f + 0.134145f * x * x)));
}

#define ACTIVATION(name)                                                                                                                    \
    static void NAME(name##_forward)(float *out, const float *x, const float *up, long n) {                                                 \
        if (up)                                                                                                                             \
            FOR_EACH(n, NAME(store)(out + i, NAME(name)(NAME(load)(x + i)) * NAME(load)(up + i)),                                           \
                     NAME(store_some)(out + i, NAME(name)(NAME(load_some)(x + i, rest, 0)) * NAME(load_some)(up + i, rest, 0), rest));      \
        else                                                                                                                                \
            FOR_EACH(n, NAME(store)(out + i, NAME(name)(NAME(load)(x + i))),                                                                \
                     NAME(store_some)(out + i, NAME(name)(NAME(load_some)(x + i, rest, 0)), rest));                                         \
    }                                                                                                                                       \
    static void NAME(name##_backward)(float *dx, float *dup, const float *dout, const float *x, const float *up, long n) {                  \
        if (up)                                                                                                                             \
            FOR_EACH(n, wide_t g = NAME(load)(x + i); wide_t d = NAME(load)(dout + i); wide_t u = NAME(load)(up + i);                       \
                     NAME(store)(dup + i, d * NAME(name)(g)); NAME(store)(dx + i, NAME(name##_back)(d * u, g)),                           \
                     wide_t g = NAME(load_some)(x + i, rest, 0); wide_t d = NAME(load_some)(dout + i, rest, 0);                             \
                     wide_t u = NAME(load_some)(up + i, rest, 0);                                                                           \
                     NAME(store_some)(dup + i, d * NAME(name)(g), rest); NAME(store_some)(dx + i, NAME(name##_back)(d * u, g), rest));    \
        else                                                                                                                                \
            FOR_EACH(n, NAME(store)(dx + i, NAME(name##_back)(NAME(load)(dout + i), NAME(load)(x + i))),                                  \
                     NAME(store_some)(dx + i, NAME(name##_back)(NAME(load_some)(dout + i, rest, 0), NAME(load_some)(x + i, rest, 0)), rest)); \
    }

ACTIVATION(silu)
ACTIVATION(gelu_tanh)
#undef ACTIVATION

static void NAME(soft_cap)(float *x, long n, float cap) {
    FOR_EACH(n, NAME(store)(x + i, cap * NAME(tanh)(NAME(load)(x + i) / cap)),
             NAME(store_some)(x + i, cap * NAME(tanh)(NAME(load_some)(x + i, rest, 0) / cap), rest));
}

// scores[j] <- exp(scores[j] − largest); returns the sum.
static float NAME(exponentials)(float *scores, long n) {
    float largest = scores[0];
    for (long j = 1; j < n; j++) largest = scores[j] > largest ? scores[j] : largest;
    wide_t sum = {0};
    FOR_EACH(n, wide_t e = NAME(exp)(NAME(load)(scores + i) - largest); NAME(store)(scores + i, e); sum += e,
             wide_t e = NAME(exp)(NAME(load_some)(scores + i, rest, -INFINITY) - largest); NAME(store_some)(scores + i, e, rest); sum += e);
    return NAME(total)(sum);
}

// The probabilities with which token `index` of the segment sees rows from `*skip` on; their number in return. `slopes`, unless
// NULL, receives the slope 1 − (score/cap)² of the soft cap.
static long NAME(probabilities)(float *scores, float *slopes, const float *q, const float *k, long kv_stride, const amend_segment *s, long index,
                                long head_size, long *skip) {
    long seen = s->parent_count + index + 1;
    *skip = s->window > 0 && seen > s->window ? seen - s->window : 0;
    for (long j = *skip; j < seen; j++) {
        long row = j < s->parent_count ? s->parent + j : s->first + j - s->parent_count;
        scores[j] = NAME(dot)(q, k + row * kv_stride, head_size) * s->scale;
    }
    if (s->soft_cap > 0) {
        NAME(soft_cap)(scores + *skip, seen - *skip, s->soft_cap);
        if (slopes)
            for (long j = *skip; j < seen; j++) slopes[j] = 1 - (scores[j] / s->soft_cap) * (scores[j] / s->soft_cap);
    }
    float inverse = 1.0f / NAME(exponentials)(scores + *skip, seen - *skip);
    NAME(scale)(scores + *skip, inverse, seen - *skip);
    return seen;
}

static void NAME(attention_forward)(float *out, const float *q, long q_stride, const float *k, const float *v, long kv_stride,
                                    amend_segment s, long head_size, float *scores) {
    long before = s.count - s.queries;
    for (long r = 0; r < s.queries; r++) {
        long skip, seen = NAME(probabilities)(scores, NULL, q + r * q_stride, k, kv_stride, &s, before + r, head_size, &skip);
        float *row = out + r * q_stride;
        memset(row, 0, (size_t)head_size * sizeof(float));
        for (long j = skip; j < seen; j++)
            NAME(axpy)(row, scores[j], v + (j < s.parent_count ? s.parent + j : s.first + j - s.parent_count) * kv_stride, head_size);
    }
}

static void NAME(attention_backward)(float *dq, float *dk, float *dv, const float *dout, const float *q, long q_stride, const float *k,
                                     const float *v, long kv_stride, long dkv_stride, amend_segment s, long kept, long head_size, float *scratch) {
    float *scores = scratch, *dscores = scratch + s.count, *slopes = s.soft_cap > 0 ? scratch + 2 * s.count : NULL;
    long before = s.count - s.queries, dropped = s.count - kept;
    for (long r = 0; r < s.queries; r++) {
        const float *query = q + r * q_stride, *gradient = dout + r * q_stride;
        long skip, seen = NAME(probabilities)(scores, slopes, query, k, kv_stride, &s, before + r, head_size, &skip);
        float mean = 0;
        for (long j = skip; j < seen; j++) {
            dscores[j] = NAME(dot)(gradient, v + (s.first + j) * kv_stride, head_size);
            mean = NAME(fma1)(scores[j], dscores[j], mean);
        }
        float *out = dq + r * q_stride;
        memset(out, 0, (size_t)head_size * sizeof(float));
        for (long j = skip; j < seen; j++) {
            float d = scores[j] * (dscores[j] - mean) * s.scale;
            if (slopes) d *= slopes[j];
            NAME(axpy)(out, d, k + (s.first + j) * kv_stride, head_size);
            if (j < dropped) continue;
            NAME(axpy)(dk + (j - dropped) * dkv_stride, d, query, head_size);
            NAME(axpy)(dv + (j - dropped) * dkv_stride, scores[j], gradient, head_size);
        }
    }
}

static float NAME(log_sum_exp)(const float *x, long n, long *largest) {
    wide_t most = (wide_t){0} - INFINITY;
    FOR_EACH(n, most = __builtin_elementwise_max(most, NAME(load)(x + i)),
             most = __builtin_elementwise_max(most, NAME(load_some)(x + i, rest, -INFINITY)));
    float top = most[0];
    for (int i = 1; i < LANES; i++) top = most[i] > top ? most[i] : top;
    *largest = 0;
    for (long i = 0; i < n; i++)
        if (x[i] == top) {
            *largest = i;
            break;
        }
    wide_t sum = {0};
    FOR_EACH(n, sum += NAME(exp)(NAME(load)(x + i) - top), sum += NAME(exp)(NAME(load_some)(x + i, rest, -INFINITY) - top));
    return top + logf(NAME(total)(sum));
}

static void NAME(cross_entropy_backward)(float *x, long n, float log_sum_exp, long label, float weight, float soft_cap) {
    if (soft_cap > 0) {
        float share = x[label] / soft_cap, at_label = weight * (1 - share * share);
        FOR_EACH(n, wide_t l = NAME(load)(x + i); wide_t s = l / soft_cap;
                 NAME(store)(x + i, weight * NAME(exp)(l - log_sum_exp) * (1.0f - s * s)),
                 wide_t l = NAME(load_some)(x + i, rest, 0); wide_t s = l / soft_cap;
                 NAME(store_some)(x + i, weight * NAME(exp)(l - log_sum_exp) * (1.0f - s * s), rest));
        x[label] -= at_label;
        return;
    }
    FOR_EACH(n, NAME(store)(x + i, weight * NAME(exp)(NAME(load)(x + i) - log_sum_exp)),
             NAME(store_some)(x + i, weight * NAME(exp)(NAME(load_some)(x + i, rest, 0) - log_sum_exp), rest));
    x[label] -= weight;
}

// Past the end both logits are their own log Σ exp: p is one there, r − l is zero.
static float NAME(divergence_backward)(float *x, const float *reference, long n, float log_sum_exp, float reference_log_sum_exp, float weight,
                                       float soft_cap) {
    const float inverse = soft_cap > 0 ? 1 / soft_cap : 0;
    wide_t sum = {0};
    FOR_EACH(n, wide_t a = NAME(load)(x + i); wide_t l = a - log_sum_exp; wide_t r = NAME(load)(reference + i) - reference_log_sum_exp;
             wide_t p = NAME(exp)(r); wide_t s = a * inverse; sum += p * (r - l);
             NAME(store)(x + i, weight * (NAME(exp)(l) - p) * (1.0f - s * s)),
             wide_t a = NAME(load_some)(x + i, rest, log_sum_exp); wide_t l = a - log_sum_exp;
             wide_t r = NAME(load_some)(reference + i, rest, reference_log_sum_exp) - reference_log_sum_exp;
             wide_t p = NAME(exp)(r); wide_t s = a * inverse; sum += p * (r - l);
             NAME(store_some)(x + i, weight * (NAME(exp)(l) - p) * (1.0f - s * s), rest));
    return weight * NAME(total)(sum);
}

static void NAME(standardize)(float *z, const float *x, const float *mean, const float *deviation, float epsilon, long n) {
    for (long i = 0; i < n; i++) z[i] = (x[i] - mean[i]) / (deviation[i] + epsilon);
}

static void NAME(block_forward)(float *out, const float *z, float *pre, const float *bias, const float *scale, const float *shift, long n) {
    for (long i = 0; i < n; i++) {
        float p = pre[i] + bias[i];
        pre[i] = p;
        out[i] = z[i] + scale[i] * (p > 0 ? p : 0) + shift[i];
    }
}

static void NAME(block_backward)(float *g, float *dscale, float *dshift, float *dbias, const float *dy, const float *pre, const float *scale, long n) {
    for (long i = 0; i < n; i++) {
        float d = pre[i] >= 0 ? dy[i] * scale[i] : 0;
        g[i] = d;
        dscale[i] += dy[i] * (pre[i] > 0 ? pre[i] : 0);
        dshift[i] += dy[i];
        dbias[i] += d;
    }
}

static void NAME(adam)(float *parameter, float *m, float *v, const float *gradient, long n, float rate, float beta1, float beta2,
                       float epsilon, double correction1, double correction2) {
    float step = (float)(rate / correction1), root = (float)(1.0 / sqrt(correction2));
    for (long i = 0; i < n; i++) {
        float g = gradient[i];
        m[i] = beta1 * m[i] + (1 - beta1) * g;
        v[i] = beta2 * v[i] + (1 - beta2) * (g * g);
        parameter[i] -= step * m[i] / (__builtin_elementwise_sqrt(v[i]) * root + epsilon);
    }
}

static int NAME(all_finite)(const float *x, long n) {
    uint32_t bad = 0;
    for (long i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bad |= (bits & 0x7f800000u) == 0x7f800000u;
    }
    return !bad;
}

#undef FOR_EACH
#undef NAME
#undef PASTE
#undef PASTE2
#undef VARIANT
#undef FUSED
