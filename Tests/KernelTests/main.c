// Runs every kernel of CKernels in every variant that the processor offers, on random cases, and compares the variants with each other
// bit for bit and with plain references. Prints a line per kernel; the checksum of what it wrote is the same on every processor with
// fused multiply-add. Exit status 1 on any difference.
#include "check.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#pragma STDC FP_CONTRACT OFF

static const char *const known_variants[] = {"portable", "avx2", "avx512", "avx512bf16", "avx512amx"};
enum { KNOWN = sizeof known_variants / sizeof *known_variants };

struct outcome {
    int fused, wants_reference;
    uint32_t *words;  // all that was recorded
    long count, capacity;
    long differences, first;  // from the reference
    float found;
    double expected, error;  // error: the largest of expect_near, as a part of size
};

static const char *running_kernel = "no kernel", *running_variant = "no variant";
static long running_case;

// ---- random numbers

uint64_t draw(stream *s) {  // splitmix64
    uint64_t z = s->state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

long draw_below(stream *s, long count) { return (long)(draw(s) % (uint64_t)count); }

long draw_size(stream *s, long most) {
    static const long borders[] = {8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512, 1024};
    long size = 1 + draw_below(s, most);
    switch (draw(s) % 4) {
        case 0: size = 1 + draw_below(s, 20); break;
        case 1: size = borders[draw(s) % (sizeof borders / sizeof *borders)] + draw_below(s, 3) - 1; break;
    }
    return size > most ? 1 + size % most : size;
}

float draw_number(stream *s, float scale) {
    uint64_t bits = draw(s);
    if (bits % 97 == 0) return bits & 128 ? 0.0f : -0.0f;
    double sum = 0;  // of four uniform numbers, whose variance is 1/3
    for (int i = 0; i < 4; i++) sum += (double)(bits >> 16 * i & 0xffff) / 65536 - 0.5;
    return (float)(sum * 1.7320508 * scale);
}

// ---- buffers

enum { PAGE = 1 << 16, SLOT = 128 * PAGE, SLOTS = 48, MARGIN = 1024 };  // a page as large as any processor's
static uint8_t *slots, *starts[SLOTS];
static int slots_used;

static void reserve_slots(void) {
    slots = mmap(NULL, (size_t)SLOT * SLOTS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (slots == MAP_FAILED) {
        perror("kernel-check: mmap");
        exit(1);
    }
    for (long i = 1; i <= SLOTS; i++) mprotect(slots + i * SLOT - PAGE, PAGE, PROT_NONE);
}

void *room(long bytes) {
    if (slots_used == SLOTS || bytes > SLOT - PAGE - MARGIN) {
        fprintf(stderr, "kernel-check: %s needs too much room: %ld bytes after %d buffers\n", running_kernel, bytes, slots_used);
        exit(1);
    }
    uint8_t *start = starts[slots_used] = slots + (slots_used + 1L) * SLOT - PAGE - bytes;
    slots_used++;
    memset(start - MARGIN, 0xa5, (size_t)(MARGIN + bytes));
    return start;
}

static int wrote_before_a_buffer(void) {
    for (int i = 0; i < slots_used; i++)
        for (const uint8_t *byte = starts[i] - MARGIN; byte < starts[i]; byte++)
            if (*byte != 0xa5) return 1;
    return 0;
}

float *blank(long count) { return room(count * 4); }

float *numbers(stream *s, long count, float scale) {
    float *x = blank(count);
    for (long i = 0; i < count; i++) x[i] = draw_number(s, scale);
    return x;
}

float *copy(const float *x, long count) { return memcpy(blank(count), x, (size_t)count * 4); }

static void beyond(int signal) {
    char line[200];
    int length = snprintf(line, sizeof line, "kernel-check: %s, case %ld, %s: %s\n", running_kernel, running_case, running_variant,
                          signal == SIGILL ? "an instruction that this processor lacks" : "memory beyond its buffers");
    if (write(2, line, (size_t)length) < 0) _exit(2);
    _exit(1);
}

// ---- comparison

int is_fused(const outcome *o) { return o->fused; }
int wants_reference(const outcome *o) { return o->wants_reference; }
float multiply_add(const outcome *o, float a, float b, float c) { return o->fused ? fmaf(a, b, c) : a * b + c; }

static uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return x != x ? 0x7fc00000 : bits;
}

static void append(outcome *o, uint32_t word) {
    if (o->count == o->capacity) {
        o->capacity = 2 * o->capacity + 1024;
        o->words = realloc(o->words, (size_t)o->capacity * sizeof *o->words);
        if (!o->words) abort();
    }
    o->words[o->count++] = word;
}

static void differ(outcome *o, long place, float found, double expected) {
    if (o->differences++) return;
    o->first = place;
    o->found = found;
    o->expected = expected;
}

void record(outcome *o, const float *found, long count) {
    for (long i = 0; i < count; i++) append(o, bits_of(found[i]));
}

void record_bytes(outcome *o, const void *found, long count) {
    for (long i = 0; i < count; i++) append(o, ((const uint8_t *)found)[i]);
}

void expect_bits(outcome *o, const float *found, const float *expected, long count) {
    for (long i = 0; i < count; i++)
        if (bits_of(found[i]) != bits_of(expected[i])) differ(o, o->count + i, found[i], (double)expected[i]);
    record(o, found, count);
}

void expect_bytes(outcome *o, const void *found, const void *expected, long count) {
    const uint8_t *f = found, *e = expected;
    for (long i = 0; i < count; i++)
        if (f[i] != e[i]) differ(o, o->count + i, f[i], e[i]);
    record_bytes(o, found, count);
}

void expect_near(outcome *o, const float *found, const double *expected, long count, double size) {
    for (long i = 0; i < count; i++) {
        double error = fabs((double)found[i] - expected[i]) / size;
        if (error > o->error) o->error = error;
        if (!(error <= TOLERANCE)) differ(o, o->count + i, found[i], expected[i]);
    }
    record(o, found, count);
}

// ---- running

typedef struct {
    const char *names[KNOWN];
    int fused[KNOWN], count;
    uint64_t seed;
    long cases;
} plan;

enum { MOST_REPORTED = 5 };  // differences, per kernel

// One case in every variant; adds what differs to *differences.
static void run_case(const kernel_check *check, const plan *p, outcome *outcomes, long *differences) {
    for (int v = 0; v < p->count; v++) {
        outcome *o = &outcomes[v];
        int first = v;  // the first variant that promises the same bits
        for (int u = v; u-- > 0;)
            if (check->same_everywhere || p->fused[u] == p->fused[v]) first = u;
        o->fused = p->fused[v];
        o->wants_reference = first == v;
        o->count = o->differences = 0;
        uint64_t name = 0;
        for (const char *c = check->name; *c; c++) name = name * 1000003 + (uint8_t)*c;
        stream s = {p->seed * 0x2545f4914f6cdd1d + name * 0x9e3779b97f4a7c15 + (uint64_t)running_case};
        running_variant = p->names[v];
        slots_used = 0;
        amend_kernel_select(p->names[v]);
        check->run(&s, o);
        if (o->differences && (*differences)++ < MOST_REPORTED)
            printf("%s, case %ld, %s: %ld of %ld outputs differ from the reference, first number %ld: found %.9g, expected %.9g\n", check->name,
                   running_case, p->names[v], o->differences, o->count, o->first, (double)o->found, o->expected);
        if (wrote_before_a_buffer() && (*differences)++ < MOST_REPORTED)
            printf("%s, case %ld, %s: wrote before the start of a buffer\n", check->name, running_case, p->names[v]);
        const outcome *other = &outcomes[first];
        long different = labs(o->count - other->count), place = -1;
        for (long i = 0; i < o->count && i < other->count; i++)
            if (o->words[i] != other->words[i] && different++ == 0) place = i;
        if (different && (*differences)++ < MOST_REPORTED)
            printf("%s, case %ld: %s and %s differ in %ld of %ld outputs, first in number %ld\n", check->name, running_case, p->names[first],
                   p->names[v], different, o->count, place);
    }
}

static long run_check(const kernel_check *check, const plan *p) {
    outcome outcomes[KNOWN] = {0};
    long differences = 0, outputs = 0;
    uint64_t checksum = 0xcbf29ce484222325;  // FNV-1a over words
    double error = 0;
    running_kernel = check->name;
    for (running_case = 0; running_case < p->cases; running_case++) {
        run_case(check, p, outcomes, &differences);
        const outcome *best = &outcomes[p->count - 1];
        outputs += best->count;
        for (long i = 0; i < best->count; i++) checksum = (checksum ^ best->words[i]) * 0x100000001b3;
    }
    for (int v = 0; v < p->count; v++) {
        error = fmax(error, outcomes[v].error);
        free(outcomes[v].words);
    }
    printf("%-26s %6ld cases %9ld outputs  %016llx", check->name, p->cases, outputs, (unsigned long long)checksum);
    if (error > 0) printf("  error %.1e", error);
    if (differences) printf("  %ld DIFFERENCES", differences);
    printf("\n");
    fflush(stdout);
    return differences;
}

static int variant_is_fused(const char *name) {
#if !defined(__ARM_FEATURE_FMA) && !defined(__FMA__)
    if (strcmp(name, "portable") == 0) return 0;
#endif
    (void)name;
    return 1;
}

static void fail(const char *message, const char *what) {
    fprintf(stderr, "kernel-check: %s '%s'\nusage: kernel-check [--require VARIANT] … [--only KERNEL] [--seed NUMBER] [--cases NUMBER]\n", message, what);
    exit(2);
}

static long number(const char *text) {
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < 0) fail("expected a number, found", text);
    return value;
}

int main(int argc, char **argv) {
    plan p = {.seed = 1, .cases = 100};
    const char *best = amend_kernel_variant(), *only = NULL;
    for (int i = 0; i < KNOWN; i++)
        if (amend_kernel_select(known_variants[i])) {
            p.fused[p.count] = variant_is_fused(known_variants[i]);
            p.names[p.count++] = known_variants[i];
        }
    if (strcmp(p.names[p.count - 1], best) != 0) fail("this program does not know the variant", best);
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc) fail("no value after", argv[i]);
        if (strcmp(argv[i], "--seed") == 0) p.seed = (uint64_t)number(argv[i + 1]);
        else if (strcmp(argv[i], "--cases") == 0) p.cases = number(argv[i + 1]);
        else if (strcmp(argv[i], "--only") == 0) only = argv[i + 1];
        else if (strcmp(argv[i], "--require") == 0) {
            int found = 0;
            for (int v = 0; v < p.count; v++) found |= strcmp(p.names[v], argv[i + 1]) == 0;
            if (!found) fail("this processor cannot run the variant", argv[i + 1]);
        } else fail("unknown option", argv[i]);
    }
    signal(SIGSEGV, beyond);
    signal(SIGBUS, beyond);
    signal(SIGILL, beyond);
    reserve_slots();

    printf("variants");
    for (int v = 0; v < p.count; v++) printf(" %s%s", p.names[v], p.fused[v] ? "" : " (not fused)");
    printf("; seed %llu; tolerance %g of the terms\n", (unsigned long long)p.seed, TOLERANCE);
    const kernel_check *const tables[] = {product_checks, row_checks, byte_checks};
    long differences = 0, kernels = 0;
    for (int t = 0; t < 3; t++)
        for (const kernel_check *check = tables[t]; check->name; check++)
            if (!only || strcmp(only, check->name) == 0) differences += run_check(check, &p), kernels++;
    if (kernels == 0) fail("there is no kernel", only);
    if (differences) printf("%ld differences\n", differences);
    else printf("%ld kernels: no difference\n", kernels);
    return differences > 0;
}
