// What has to happen before the first library starts. The constructors of shared libraries run before main, and OpenBLAS's starts a thread for
// every core, each with a buffer of 128 MiB: where address space is short that fails with a signal, and where `ulimit -s` is small these
// threads run off their stacks. Functions of .preinit_array run before any constructor, and nothing of the C library is started yet: no
// allocation here, no getenv.
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "startup.h"

#if defined(__linux__)
enum { MOST_VARIABLES = 8192 };

// amend's threads are its own; OpenBLAS is called on one at a time.
static const char *const wanted[] = {"OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1"};
enum { WANTED = sizeof wanted / sizeof wanted[0] };

static size_t name_length(const char *variable) { return (size_t)(strchr(variable, '=') - variable) + 1; }

static void restart_with_one_thread(int count, char **arguments, char **environment) {
    (void)count;
    static char *changed[MOST_VARIABLES + WANTED + 1];
    size_t length = 0, added = 0;
    for (; environment[length]; length++)
        if (length == MOST_VARIABLES) return;
    for (size_t i = 0; i < WANTED; i++) {
        const size_t name = name_length(wanted[i]);
        int is_set = 0;
        for (size_t j = 0; j < length; j++)
            if (strncmp(environment[j], wanted[i], name) == 0 && environment[j][name]) is_set = 1;
        if (!is_set) changed[added++] = (char *)wanted[i];
    }
    if (added == 0) return;
    size_t used = added;
    for (size_t j = 0; j < length; j++) {
        int is_replaced = 0;
        for (size_t i = 0; i < added; i++)
            if (strncmp(environment[j], changed[i], name_length(changed[i])) == 0) is_replaced = 1;
        if (!is_replaced) changed[used++] = environment[j];
    }
    changed[used] = NULL;
    execve("/proc/self/exe", arguments, changed);  // on failure (no /proc) the process goes on as it is
}

__attribute__((section(".preinit_array"), used)) static void (*const first)(int, char **, char **) = restart_with_one_thread;
#endif
