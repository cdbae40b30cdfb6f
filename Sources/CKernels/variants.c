#include "variants.h"

#include <string.h>

#include "gemm.h"

static const char *const names[] = {"portable", "avx2", "avx512", "avx512bf16"};
enum { COUNT = sizeof names / sizeof names[0] };
static int chosen = -1;

static int supported(int index) {
    if (index == 0) return 1;
#if defined(__x86_64__)
    __builtin_cpu_init();
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    if (index == 1) return avx2;
    if (index == 3 && !__builtin_cpu_supports("avx512bf16")) return 0;
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512dq");
#else
    return 0;
#endif
}

int amend_variant_index(void) {
    if (chosen < 0) {
        int best = COUNT - 1;
        while (!supported(best)) best--;
        chosen = best;
    }
    return chosen;
}

const char *amend_kernel_variant(void) { return names[amend_variant_index()]; }

int amend_kernel_select(const char *name) {
    for (int i = 0; i < COUNT; i++)
        if (strcmp(name, names[i]) == 0 && supported(i)) {
            chosen = i;
            return 1;
        }
    return 0;
}
