#include "variants.h"

#include <stdlib.h>
#include <string.h>

#include "gemm.h"

static const char *const names[] = {"portable", "avx2", "avx512", "avx512bf16", "avx512amx"};
enum { COUNT = sizeof names / sizeof names[0] };
static int chosen = -1;

#if defined(__linux__) && defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>

// Tiles enlarge what is saved of a thread, so Linux (from 5.16 on) wants to be asked for them, once for a process. It refuses where a thread has
// an alternate signal stack too small for them, and does not know the question where it is older.
static int has_permission_for_tiles(void) {
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };  // ARCH_REQ_XCOMP_PERM of asm/prctl.h, and the number of the state's component
    static int answer = -1;
    if (answer < 0) answer = syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
    return answer;
}
#elif defined(__x86_64__)
static int has_permission_for_tiles(void) { return 0; }
#endif

static int supported(int index) {
    if (index == 0) return 1;
#if defined(__x86_64__)
    __builtin_cpu_init();
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    if (index == 1) return avx2;
    if (index >= 3 && !__builtin_cpu_supports("avx512bf16")) return 0;
    if (index == 4 && !(__builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-bf16") && has_permission_for_tiles())) return 0;
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512dq");
#else
    return 0;
#endif
}

static __attribute__((noinline)) int choose(void) {
    const char *wanted = getenv("AMEND_KERNELS");
    if (wanted && amend_kernel_select(wanted)) return chosen;
    int best = COUNT - 1;
    while (!supported(best)) best--;
    return chosen = best;
}

int amend_variant_index(void) { return __builtin_expect(chosen >= 0, 1) ? chosen : choose(); }  // every row of every kernel asks

const char *amend_kernel_variant(void) { return names[amend_variant_index()]; }

int amend_kernel_select(const char *name) {
    for (int i = 0; i < COUNT; i++)
        if (strcmp(name, names[i]) == 0 && supported(i)) {
            chosen = i;
            return 1;
        }
    return 0;
}
