// kernels.h against references in double precision, or exact ones where a kernel is one operation per element.
#include "check.h"

#pragma STDC FP_CONTRACT OFF

static double *doubles(long count) { return room(count * 8); }

static double largest(const double *x, long n) {
    double most = 0;
    for (long i = 0; i < n; i++) most = fmax(most, fabs(x[i]));
    return most;
}

// ---- vectors

static void sums(stream *s, outcome *o, int in_double, int of_squares) {
    long n = draw_size(s, 700);
    float *x = numbers(s, n, 3), *y = of_squares ? x : numbers(s, n, 2);
    double sum = 0, size = 1e-30;
    for (long i = 0; i < n; i++) {
        sum += (double)x[i] * (double)y[i];
        size += fabs((double)x[i] * (double)y[i]);
    }
    double result = of_squares ? amend_sum_of_squares(x, n) : in_double ? amend_dot_double(x, y, n) : (double)amend_dot(x, y, n);
    float low = (float)result;
    expect_near(o, &low, &sum, 1, size);
    record_bytes(o, &result, sizeof result);
}

static void dot(stream *s, outcome *o) { sums(s, o, 0, 0); }
static void dot_double(stream *s, outcome *o) { sums(s, o, 1, 0); }
static void sum_of_squares(stream *s, outcome *o) { sums(s, o, 1, 1); }

static void add(stream *s, outcome *o) {
    long n = draw_size(s, 300);
    float *x = numbers(s, n, 1), *y = numbers(s, n, 1), *expected = copy(y, n);
    for (long i = 0; i < n; i++) expected[i] += x[i];
    amend_add(y, x, n);
    expect_bits(o, y, expected, n);
}

static void axpy(stream *s, outcome *o) {
    long n = draw_size(s, 300);
    float *x = numbers(s, n, 1), *y = numbers(s, n, 1), *expected = copy(y, n), a = draw_number(s, 2);
    for (long i = 0; i < n; i++) expected[i] = multiply_add(o, a, x[i], y[i]);
    amend_axpy(y, a, x, n);
    expect_bits(o, y, expected, n);
}

static void scale(stream *s, outcome *o) {
    long n = draw_size(s, 300);
    float *y = numbers(s, n, 1), *expected = copy(y, n), a = draw_number(s, 2);
    for (long i = 0; i < n; i++) expected[i] *= a;
    amend_scale(y, a, n);
    expect_bits(o, y, expected, n);
}

static void subtract(stream *s, outcome *o) {
    long n = draw_size(s, 300);
    float *x = numbers(s, n, 1), *y = numbers(s, n, 1), *out = blank(n), *expected = blank(n);
    for (long i = 0; i < n; i++) expected[i] = x[i] - y[i];
    amend_subtract(out, x, y, n);
    expect_bits(o, out, expected, n);
}

// ---- norms: z = (x − mean) / deviation, where of an RMS norm the mean is zero. *size is that of x / deviation: of the two terms of z.

static double normalize(const float *x, long n, float epsilon, int centred, double *z, double *size) {
    double mean = 0, square = 0;
    for (long i = 0; i < n && centred; i++) mean += (double)x[i] / (double)n;
    for (long i = 0; i < n; i++) square += ((double)x[i] - mean) * ((double)x[i] - mean) / (double)n;
    double inverse = 1 / sqrt(square + (double)epsilon);
    *size = 1;
    for (long i = 0; i < n; i++) {
        z[i] = ((double)x[i] - mean) * inverse;
        *size = fmax(*size, fabs((double)x[i]) * inverse);
    }
    return inverse;
}

static void norm_forward(stream *s, outcome *o, int centred) {
    long n = draw_size(s, 700);
    float *x = numbers(s, n, 2), *weight = numbers(s, n, 1), *bias = numbers(s, n, 1), *out = blank(n);
    if (centred && draw(s) % 2)
        for (long i = 0; i < n; i++) x[i] += 1;
    double *expected = doubles(n), size;
    normalize(x, n, 1e-3f, centred, expected, &size);
    for (long i = 0; i < n; i++) expected[i] = (double)weight[i] * expected[i] + (centred ? (double)bias[i] : 0);
    if (centred) amend_layer_norm_forward(out, x, weight, bias, n, 1e-3f);
    else amend_rms_norm_forward(out, x, weight, n, 1e-3f);
    expect_near(o, out, expected, n, 4 * size);  // no weight or bias exceeds 4
}

static void norm_backward(stream *s, outcome *o, int centred) {
    long n = draw_size(s, 700);
    float *x = numbers(s, n, 2), *weight = numbers(s, n, 1), *dout = numbers(s, n, 1), *dx = numbers(s, n, 1);
    double *z = doubles(n), *g = doubles(n), *expected = doubles(n), mean = 0, along = 0;
    double size, inverse = normalize(x, n, 1e-3f, centred, z, &size);
    for (long i = 0; i < n; i++) {
        g[i] = (double)dout[i] * (double)weight[i];
        mean += centred ? g[i] / (double)n : 0;
        along += g[i] * z[i] / (double)n;
    }
    for (long i = 0; i < n; i++) expected[i] = (double)dx[i] + inverse * (g[i] - mean - z[i] * along);
    if (centred) amend_layer_norm_backward(dx, dout, x, weight, n, 1e-3f);
    else amend_rms_norm_backward(dx, dout, x, weight, n, 1e-3f);
    expect_near(o, dx, expected, n, 4 + inverse * largest(g, n) * fmax(1, largest(z, n)) * size);
}

static void rms_norm_forward(stream *s, outcome *o) { norm_forward(s, o, 0); }
static void rms_norm_backward(stream *s, outcome *o) { norm_backward(s, o, 0); }
static void layer_norm_forward(stream *s, outcome *o) { norm_forward(s, o, 1); }
static void layer_norm_backward(stream *s, outcome *o) { norm_backward(s, o, 1); }

// ---- rotary position embedding

static void rotate(stream *s, outcome *o, int halves) {
    long pairs = draw_size(s, 64), n = 2 * pairs;
    int inverse = draw(s) % 2;
    float *x = numbers(s, n, 1), *cosines = numbers(s, pairs, 0.5f), *sines = numbers(s, pairs, 0.5f);
    double *expected = doubles(n);
    for (long i = 0; i < pairs; i++) {
        long first = halves ? i : 2 * i, second = halves ? i + pairs : 2 * i + 1;
        double a = (double)x[first], b = (double)x[second], sine = (double)sines[i] * (inverse ? -1 : 1);
        expected[first] = a * (double)cosines[i] - b * sine;
        expected[second] = b * (double)cosines[i] + a * sine;
    }
    if (halves) amend_rotate_halves(x, cosines, sines, n, inverse);
    else amend_rotate_pairs(x, cosines, sines, n, inverse);
    expect_near(o, x, expected, n, 1);
}

static void rotate_halves(stream *s, outcome *o) { rotate(s, o, 1); }
static void rotate_pairs(stream *s, outcome *o) { rotate(s, o, 0); }

// ---- activations

static double activate(amend_activation activation, double x, double *slope) {
    if (activation == AMEND_SILU) {
        double sigmoid = 1 / (1 + exp(-x));
        *slope = sigmoid * (1 + x * (1 - sigmoid));
        return x * sigmoid;
    }
    double t = tanh(0.7978845608028654 * (x + 0.044715 * x * x * x));
    *slope = 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * 0.7978845608028654 * (1 + 0.134145 * x * x);
    return 0.5 * x * (1 + t);
}

// Mostly where they bend, now and then far out, where e^x ends.
static float *draw_activated(stream *s, long n) {
    float *x = numbers(s, n, 3);
    for (long i = 0; i < n; i++)
        if (draw(s) % 32 == 0) x[i] *= 40;
    return x;
}

static void activation_forward(stream *s, outcome *o) {
    amend_activation activation = draw(s) % 2 ? AMEND_SILU : AMEND_GELU_TANH;
    long n = draw_size(s, 300);
    float *x = draw_activated(s, n), *up = draw(s) % 2 ? numbers(s, n, 1) : NULL, *out = blank(n);
    amend_activation_forward(activation, out, x, up, n);
    for (long i = 0; i < n; i++) {
        double slope, factor = up ? (double)up[i] : 1, expected = activate(activation, (double)x[i], &slope) * factor;
        expect_near(o, out + i, &expected, 1, fmax(1, fabs((double)x[i])) * fmax(1, fabs(factor)));
    }
}

static void activation_backward(stream *s, outcome *o) {
    amend_activation activation = draw(s) % 2 ? AMEND_SILU : AMEND_GELU_TANH;
    long n = draw_size(s, 300);
    float *x = draw_activated(s, n), *up = draw(s) % 2 ? numbers(s, n, 1) : NULL, *dout = numbers(s, n, 1);
    float *dx = blank(n), *dup = up ? blank(n) : NULL;
    amend_activation_backward(activation, dx, dup, dout, x, up, n);
    for (long i = 0; i < n; i++) {
        double slope, value = activate(activation, (double)x[i], &slope), d = (double)dout[i], factor = up ? (double)up[i] : 1;
        double expected = d * factor * slope, expected_up = d * value, size = fmax(1, fabs((double)x[i])) * fmax(1, fabs(d));
        expect_near(o, dx + i, &expected, 1, size * fmax(1, fabs(factor)));
        if (up) expect_near(o, dup + i, &expected_up, 1, size);
    }
}

static void soft_cap(stream *s, outcome *o) {
    long n = draw_size(s, 300);
    float *x = draw_activated(s, n), cap = 1 + (float)draw_below(s, 50);
    double *expected = doubles(n);
    for (long i = 0; i < n; i++) expected[i] = (double)cap * tanh((double)x[i] / (double)cap);
    amend_soft_cap(x, n, cap);
    expect_near(o, x, expected, n, (double)cap);
}

// ---- attention

typedef struct {
    amend_segment segment;
    long size, rows, q_stride, kv_stride;  // size: of a head; rows: of keys and values
    float *q, *k, *v;
} attention;

static attention draw_attention(stream *s, int has_parent) {
    long count = draw_size(s, 20), parent_count = has_parent ? draw_below(s, 12) : 0;
    amend_segment segment = {.count = count, .parent_count = parent_count, .queries = 1 + draw_below(s, count)};
    segment.parent = draw_below(s, 4);
    segment.first = has_parent ? segment.parent + parent_count + draw_below(s, 4) : draw_below(s, 4);
    segment.window = draw(s) % 3 ? 0 : 1 + draw_below(s, 10);
    segment.scale = 0.1f + 0.01f * (float)draw_below(s, 40);
    segment.soft_cap = draw(s) % 3 ? 0 : 0.5f + (float)draw_below(s, 4);
    attention a = {.segment = segment, .size = draw_size(s, 70), .rows = segment.first + count};
    a.q_stride = a.size + draw_below(s, 3), a.kv_stride = a.size + draw_below(s, 3);
    a.q = numbers(s, (segment.queries - 1) * a.q_stride + a.size, 1);
    a.k = numbers(s, (a.rows - 1) * a.kv_stride + a.size, 1);
    a.v = numbers(s, (a.rows - 1) * a.kv_stride + a.size, 1);
    return a;
}

static long row_of(const amend_segment *s, long j) { return j < s->parent_count ? s->parent + j : s->first + j - s->parent_count; }

static double product(const float *x, const float *y, long n) {
    double sum = 0;
    for (long i = 0; i < n; i++) sum += (double)x[i] * (double)y[i];
    return sum;
}

// The probabilities with which query `r` sees the rows from `*skip` on, up to the one in return; slopes of the soft cap.
static long see(const attention *a, long r, double *probabilities, double *slopes, long *skip) {
    const amend_segment *s = &a->segment;
    long seen = s->parent_count + s->count - s->queries + r + 1;
    double sum = 0;
    *skip = s->window > 0 && seen > s->window ? seen - s->window : 0;
    for (long j = *skip; j < seen; j++) {
        double score = product(a->q + r * a->q_stride, a->k + row_of(s, j) * a->kv_stride, a->size) * (double)s->scale, t;
        slopes[j] = 1;
        if (s->soft_cap > 0) {
            t = tanh(score / (double)s->soft_cap);
            score = (double)s->soft_cap * t;
            slopes[j] = 1 - t * t;
        }
        sum += probabilities[j] = exp(score);
    }
    for (long j = *skip; j < seen; j++) probabilities[j] /= sum;
    return seen;
}

static void attention_forward(stream *s, outcome *o) {
    attention a = draw_attention(s, 1);
    const amend_segment *g = &a.segment;
    long total = g->parent_count + g->count, skip;
    float *out = blank((g->queries - 1) * a.q_stride + a.size);
    double *probabilities = doubles(total), *slopes = doubles(total), *expected = doubles(a.size);
    amend_attention_forward(out, a.q, a.q_stride, a.k, a.v, a.kv_stride, *g, a.size, blank(total));
    for (long r = 0; r < g->queries; r++) {
        long seen = see(&a, r, probabilities, slopes, &skip);
        for (long i = 0; i < a.size; i++) {
            expected[i] = 0;
            for (long j = skip; j < seen; j++) expected[i] += probabilities[j] * (double)a.v[row_of(g, j) * a.kv_stride + i];
        }
        expect_near(o, out + r * a.q_stride, expected, a.size, 4);
    }
}

static void attention_backward(stream *s, outcome *o) {
    attention a = draw_attention(s, 0);
    const amend_segment *g = &a.segment;
    long kept = 1 + draw_below(s, g->count), dropped = g->count - kept, dkv_stride = a.size + draw_below(s, 3), skip;
    long q_count = (g->queries - 1) * a.q_stride + a.size, kv_count = (kept - 1) * dkv_stride + a.size;
    float *dout = numbers(s, q_count, 1), *dq = blank(q_count), *dk = numbers(s, kv_count, 1), *dv = numbers(s, kv_count, 1);
    double *expected_q = doubles(q_count), *expected_k = doubles(kv_count), *expected_v = doubles(kv_count);
    double *probabilities = doubles(g->count), *slopes = doubles(g->count), *along = doubles(g->count);
    for (long i = 0; i < kv_count; i++) expected_k[i] = (double)dk[i], expected_v[i] = (double)dv[i];
    for (long i = 0; i < q_count; i++) expected_q[i] = 0;
    for (long r = 0; r < g->queries; r++) {
        const float *query = a.q + r * a.q_stride, *gradient = dout + r * a.q_stride;
        long seen = see(&a, r, probabilities, slopes, &skip);
        double mean = 0;
        for (long j = skip; j < seen; j++) mean += probabilities[j] * (along[j] = product(gradient, a.v + row_of(g, j) * a.kv_stride, a.size));
        for (long j = skip; j < seen; j++) {
            double d = probabilities[j] * (along[j] - mean) * slopes[j] * (double)g->scale;
            for (long i = 0; i < a.size; i++) {
                expected_q[r * a.q_stride + i] += d * (double)a.k[row_of(g, j) * a.kv_stride + i];
                if (j < dropped) continue;
                expected_k[(j - dropped) * dkv_stride + i] += d * (double)query[i];
                expected_v[(j - dropped) * dkv_stride + i] += probabilities[j] * (double)gradient[i];
            }
        }
    }
    amend_attention_backward(dq, dk, dv, dout, a.q, a.q_stride, a.k, a.v, a.kv_stride, dkv_stride, *g, kept, a.size, blank(3 * g->count));
    for (long r = 0; r < g->queries; r++) expect_near(o, dq + r * a.q_stride, expected_q + r * a.q_stride, a.size, 16);
    expect_near(o, dk, expected_k, kv_count, 16);
    expect_near(o, dv, expected_v, kv_count, 16);
}

// ---- softmax over a vocabulary

static double exact_log_sum_exp(const float *x, long n, long *top) {
    double sum = 0;
    *top = 0;
    for (long i = 1; i < n; i++)
        if (x[i] > x[*top]) *top = i;
    for (long i = 0; i < n; i++) sum += exp((double)x[i] - (double)x[*top]);
    return (double)x[*top] + log(sum);
}

static void log_sum_exp(stream *s, outcome *o) {
    long n = draw_size(s, 1500), top, found;
    float *x = draw_activated(s, n);
    if (draw(s) % 2) x[draw_below(s, n)] = x[draw_below(s, n)];  // two equal ones, at times the largest
    double expected = exact_log_sum_exp(x, n, &top);
    float sum = amend_log_sum_exp(x, n, &found), places[2] = {(float)found, (float)top};
    expect_near(o, &sum, &expected, 1, fmax(1, fabs(expected)));
    expect_bits(o, &places[0], &places[1], 1);
}

static void cross_entropy_backward(stream *s, outcome *o) {
    long n = draw_size(s, 1500), top, label = draw_below(s, n);
    float cap = draw(s) % 2 ? 0 : 5 + (float)draw_below(s, 30), weight = draw_number(s, 1), *x = numbers(s, n, 3);
    for (long i = 0; i < n && cap > 0; i++) x[i] = fminf(fmaxf(x[i], -cap), cap);
    double sum = exact_log_sum_exp(x, n, &top), *expected = doubles(n);
    for (long i = 0; i < n; i++) {
        double share = cap > 0 ? (double)x[i] / (double)cap : 0;
        expected[i] = (double)weight * (exp((double)x[i] - sum) - (i == label)) * (1 - share * share);
    }
    amend_cross_entropy_backward(x, n, (float)sum, label, weight, cap);
    expect_near(o, x, expected, n, 1);
}

static void divergence_backward(stream *s, outcome *o) {
    long n = draw_size(s, 1500), top;
    float cap = draw(s) % 2 ? 0 : 5 + (float)draw_below(s, 30), weight = draw_number(s, 1), *x = numbers(s, n, 3), *reference = numbers(s, n, 3);
    for (long i = 0; i < n && cap > 0; i++) {
        x[i] = fminf(fmaxf(x[i], -cap), cap);
        reference[i] = fminf(fmaxf(reference[i], -cap), cap);
    }
    double sum = exact_log_sum_exp(x, n, &top), other = exact_log_sum_exp(reference, n, &top), *expected = doubles(n), divergence = 0;
    for (long i = 0; i < n; i++) {
        double share = cap > 0 ? (double)x[i] / (double)cap : 0, p = exp((double)reference[i] - other), q = exp((double)x[i] - sum);
        divergence += p * ((double)reference[i] - other - (double)x[i] + sum);
        expected[i] = (double)weight * (q - p) * (1 - share * share);
    }
    divergence *= (double)weight;
    float found = amend_divergence_backward(x, reference, n, (float)sum, (float)other, weight, cap);
    expect_near(o, &found, &divergence, 1, fmax(1, fabs(divergence)));
    expect_near(o, x, expected, n, 1);
}

// ---- hypernetwork rows

static void standardize(stream *s, outcome *o) {
    long n = draw_size(s, 300);
    float *x = numbers(s, n, 1), *mean = numbers(s, n, 1), *deviation = numbers(s, n, 1), *z = blank(n), *expected = blank(n);
    for (long i = 0; i < n; i++) {
        deviation[i] = fabsf(deviation[i]);
        expected[i] = (x[i] - mean[i]) / (deviation[i] + 1e-3f);
    }
    amend_standardize(z, x, mean, deviation, 1e-3f, n);
    expect_bits(o, z, expected, n);
}

static void block_forward(stream *s, outcome *o) {
    long n = draw_size(s, 300);
    float *z = numbers(s, n, 1), *pre = numbers(s, n, 1), *bias = numbers(s, n, 1), *scales = numbers(s, n, 1), *shift = numbers(s, n, 1);
    float *out = blank(n), *expected = blank(n), *expected_pre = blank(n);
    for (long i = 0; i < n; i++) {
        float sum = expected_pre[i] = pre[i] + bias[i];
        expected[i] = z[i] + scales[i] * (sum > 0 ? sum : 0) + shift[i];
    }
    amend_block_forward(out, z, pre, bias, scales, shift, n);
    expect_bits(o, out, expected, n);
    expect_bits(o, pre, expected_pre, n);
}

static void block_backward(stream *s, outcome *o) {
    long n = draw_size(s, 300);
    float *dy = numbers(s, n, 1), *pre = numbers(s, n, 1), *scales = numbers(s, n, 1), *g = blank(n);
    float *sums[3], *expected[3], *expected_g = blank(n);  // of scale, shift and bias
    for (int i = 0; i < 3; i++) sums[i] = numbers(s, n, 1), expected[i] = copy(sums[i], n);
    for (long i = 0; i < n; i++) {
        expected_g[i] = pre[i] >= 0 ? dy[i] * scales[i] : 0;
        expected[0][i] += dy[i] * (pre[i] > 0 ? pre[i] : 0);
        expected[1][i] += dy[i];
        expected[2][i] += expected_g[i];
    }
    amend_block_backward(g, sums[0], sums[1], sums[2], dy, pre, scales, n);
    expect_bits(o, g, expected_g, n);
    for (int i = 0; i < 3; i++) expect_bits(o, sums[i], expected[i], n);
}

static void adam(stream *s, outcome *o) {
    long n = draw_size(s, 300);
    float *x = numbers(s, n, 1), *m = numbers(s, n, 1), *v = numbers(s, n, 1), *gradient = numbers(s, n, 1);
    double *expected[3] = {doubles(n), doubles(n), doubles(n)}, correction1 = 0.1 + 0.1 * (double)draw_below(s, 9), correction2 = 0.001;
    const double rate = (double)1e-2f, beta1 = (double)0.9f, beta2 = (double)0.999f, epsilon = (double)1e-3f;
    for (long i = 0; i < n; i++) {
        double g = (double)gradient[i];
        v[i] = fabsf(v[i]);
        expected[1][i] = beta1 * (double)m[i] + (1 - beta1) * g;
        expected[2][i] = beta2 * (double)v[i] + (1 - beta2) * g * g;
        expected[0][i] = (double)x[i] - rate / correction1 * expected[1][i] / (sqrt(expected[2][i] / correction2) + epsilon);
    }
    amend_adam(x, m, v, gradient, n, 1e-2f, 0.9f, 0.999f, 1e-3f, correction1, correction2);
    expect_near(o, x, expected[0], n, 1 + largest(expected[0], n));
    expect_near(o, m, expected[1], n, 1);
    expect_near(o, v, expected[2], n, 1);
}

static void all_finite(stream *s, outcome *o) {
    static const float strange[] = {INFINITY, -INFINITY, NAN, 3.4e38f, 1e-45f};
    long n = draw_size(s, 300), kind = draw_below(s, 6);
    float *x = numbers(s, n, 1), answers[2] = {0, kind > 2};
    if (kind < 5) x[draw_below(s, n)] = strange[kind];
    answers[0] = (float)amend_all_finite(x, n);
    expect_bits(o, &answers[0], &answers[1], 1);
}

// ---- random numbers: Philox 4×32-10, whose words make normal numbers in pairs

static void philox(const uint32_t key[2], const uint32_t streams[2], uint64_t counter, uint32_t x[4]) {
    uint32_t words[4] = {(uint32_t)counter, (uint32_t)(counter >> 32), streams[0], streams[1]}, k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9, k1 += 0xBB67AE85) {
        uint64_t a = 0xD2511F53 * (uint64_t)words[0], b = 0xCD9E8D57 * (uint64_t)words[2];
        words[0] = (uint32_t)(b >> 32) ^ words[1] ^ k0;
        words[1] = (uint32_t)b;
        words[2] = (uint32_t)(a >> 32) ^ words[3] ^ k1;
        words[3] = (uint32_t)a;
    }
    memcpy(x, words, sizeof words);
}

static void philox_normals(stream *s, outcome *o) {
    uint32_t key[2] = {(uint32_t)draw(s), (uint32_t)draw(s)}, streams[2] = {(uint32_t)draw(s), (uint32_t)draw(s)}, words[4];
    uint64_t first = draw(s) >> draw_below(s, 64);
    long count = draw_size(s, 100);
    float *out = blank(4 * count);
    double *expected = doubles(4 * count);
    for (long i = 0; i < count; i++) {
        philox(key, streams, first + (uint64_t)i, words);
        for (int j = 0; j < 4; j += 2) {
            double radius = sqrt(-2 * log((words[j] + 0.5) / 4294967296)), angle = 2 * 3.141592653589793 * (words[j + 1] + 0.5) / 4294967296;
            expected[4 * i + j] = radius * cos(angle);
            expected[4 * i + j + 1] = radius * sin(angle);
        }
    }
    amend_philox_normals(key, streams, first, count, out);
    expect_near(o, out, expected, 4 * count, 1);
}

const kernel_check row_checks[] = {
    {"dot", dot, 0},
    {"dot_double", dot_double, 0},
    {"sum_of_squares", sum_of_squares, 0},
    {"add", add, 1},
    {"axpy", axpy, 0},
    {"scale", scale, 1},
    {"subtract", subtract, 1},
    {"rms_norm_forward", rms_norm_forward, 0},
    {"rms_norm_backward", rms_norm_backward, 0},
    {"layer_norm_forward", layer_norm_forward, 0},
    {"layer_norm_backward", layer_norm_backward, 0},
    {"rotate_halves", rotate_halves, 0},
    {"rotate_pairs", rotate_pairs, 0},
    {"activation_forward", activation_forward, 0},
    {"activation_backward", activation_backward, 0},
    {"soft_cap", soft_cap, 0},
    {"attention_forward", attention_forward, 0},
    {"attention_backward", attention_backward, 0},
    {"log_sum_exp", log_sum_exp, 0},
    {"cross_entropy_backward", cross_entropy_backward, 0},
    {"divergence_backward", divergence_backward, 0},
    {"standardize", standardize, 1},
    {"block_forward", block_forward, 0},
    {"block_backward", block_backward, 0},
    {"adam", adam, 0},
    {"all_finite", all_finite, 1},
    {"philox_normals", philox_normals, 1},
    {NULL, NULL, 0},
};
