// malloc and its kin, in the place of the C library's: the same memory from the same heap, but where there is none the process ends with a line
// and status 1. Swift, Foundation and the C libraries take malloc's failure for a bug: they trap, or abort with a backtrace. Linked into
// programs.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED  // has a malloc of its own
#endif
#endif

#include "startup.h"

#include <errno.h>
#include <stddef.h>

#include "allocation.h"

#if defined(__GLIBC__) && !defined(SANITIZED)
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

#define CHECKED(memory, bytes) \
    if (__builtin_expect(!(memory) && (bytes) > 0, 0)) amend_memory_failed(bytes, NULL)

void *malloc(size_t bytes) {
    void *memory = __libc_malloc(bytes);
    CHECKED(memory, bytes);
    return memory;
}

void *calloc(size_t count, size_t size) {
    void *memory = __libc_calloc(count, size);
    CHECKED(memory, count * size);
    return memory;
}

void *realloc(void *old, size_t bytes) {
    void *memory = __libc_realloc(old, bytes);
    CHECKED(memory, bytes);
    return memory;
}

void *memalign(size_t alignment, size_t bytes) {
    void *memory = __libc_memalign(alignment, bytes);
    CHECKED(memory, bytes);
    return memory;
}

void *aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }

int posix_memalign(void **memory, size_t alignment, size_t bytes) {
    if (alignment % sizeof(void *) != 0 || alignment == 0 || (alignment & (alignment - 1)) != 0) return EINVAL;
    *memory = memalign(alignment, bytes);
    return *memory || bytes == 0 ? 0 : ENOMEM;
}
#endif
