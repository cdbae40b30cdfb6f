#include "allocation.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LONGEST_LINE = 1536, LONGEST_NOTE = 4608 };

#if defined(__GLIBC__)
void *__libc_memalign(size_t, size_t);
#endif

static char speaker[64], work[256], kept[LONGEST_NOTE];
static void (*_Atomic rescue)(char *, size_t);

static void copy(char *to, size_t capacity, const char *from) {
    size_t length = strnlen(from, capacity - 1);
    memcpy(to, from, length);
    to[length] = 0;
}

void amend_memory_set_speaker(const char *text) { copy(speaker, sizeof speaker, text); }
void amend_memory_set_activity(const char *text) { copy(work, sizeof work, text); }
void amend_memory_set_kept(const char *text) { copy(kept, sizeof kept, text); }
void amend_memory_set_rescue(void (*function)(char *, size_t)) { atomic_store(&rescue, function); }

// Of this process, in bytes: field 0 of /proc/self/statm is its address space, field 5 its data; 0 where the system does not tell.
static size_t used(int field) {
    char text[256];
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t count = read(file, text, sizeof text - 1);
    close(file);
    if (count <= 0) return 0;
    text[count] = 0;
    char *at = text;
    while (field-- > 0) strtoul(at, &at, 10);
    return strtoul(at, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

long amend_memory_room(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return -1;
    const size_t mapped = used(0);
    return limit.rlim_cur > mapped ? (long)(limit.rlim_cur - mapped) : 0;
}

// Which limit stands in the way, and what to do.
static int advice(char *text, size_t capacity) {
    static const struct { int resource; const char *name; int field; const char *option; } limits[] = {
        {RLIMIT_AS, "address space", 0, "v"}, {RLIMIT_DATA, "data", 5, "d"}};
    static const char *const smaller = "make the work smaller (data.edits_per_batch, editor.rank, run.threads)";
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct rlimit limit;
        if (getrlimit(limits[i].resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) continue;
        return snprintf(text, capacity, "the process is limited to %zu MB of %s (ulimit -%s) and has %zu MB: raise the limit, or %s",
                        (size_t)limit.rlim_cur / 1000000, limits[i].name, limits[i].option, used(limits[i].field) / 1000000, smaller);
    }
    return snprintf(text, capacity, "the process has %zu MB of address space: free memory on this machine, or %s", used(0) / 1000000, smaller);
}

size_t amend_memory_describe(char *text, size_t capacity, size_t bytes, const char *what) {
    char todo[512];
    advice(todo, sizeof todo);
    int length = snprintf(text, capacity, "out of memory%s%s: cannot allocate %zu bytes%s%s; %s", *work ? " " : "", work, bytes, what && *what ? " for " : "",
                          what ? what : "", todo);
    return length < 0 ? 0 : (size_t)length < capacity ? (size_t)length : capacity - 1;
}

static void say(const char *text, size_t length) {
    while (length > 0) {
        struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
        if (poll(&room, 1, 2000) == 0) return;  // nobody reads it
        ssize_t count = write(STDERR_FILENO, text, length);
        if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (count <= 0) return;
        text += count;
        length -= (size_t)count;
    }
}

_Noreturn void amend_memory_failed(size_t bytes, const char *what) {
    static char line[LONGEST_LINE], note[LONGEST_NOTE];
    static atomic_int failures, composed, rescued, said;
    // The first failure tries to save what it can. Memory may be short for that too: the second, on whatever thread, ends it.
    if (atomic_fetch_add(&failures, 1) == 0) {
        copy(line, sizeof line, speaker);
        size_t length = strlen(line);
        amend_memory_describe(line + length, sizeof line - length, bytes, what);
        atomic_store(&composed, 1);
        void (*function)(char *, size_t) = atomic_load(&rescue);
        if (function) function(note, sizeof note);
        atomic_store(&rescued, 1);
    }
    while (!atomic_load(&composed)) sched_yield();
    if (atomic_fetch_add(&said, 1) == 0) {
        static char whole[LONGEST_LINE + LONGEST_NOTE + 1];
        int length = snprintf(whole, sizeof whole, "%s%s\n", line, atomic_load(&rescued) && *note ? note : kept);
        say(whole, (size_t)length);
    }
    _exit(1);
}

void *amend_memory_try(size_t alignment, size_t bytes) {
    if (bytes == 0) bytes = alignment;
#if defined(__GLIBC__)
    return __libc_memalign(alignment, bytes);  // past a guard that ends the process (CStartup)
#else
    void *memory = NULL;
    return posix_memalign(&memory, alignment, bytes) == 0 ? memory : NULL;
#endif
}

void *amend_memory_allocate(size_t alignment, size_t bytes, const char *what) {
    void *memory = amend_memory_try(alignment, bytes);
    if (!memory) amend_memory_failed(bytes, what);
    return memory;
}
