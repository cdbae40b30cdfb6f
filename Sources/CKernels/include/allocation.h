// What happens when memory runs out: one line on standard error that says what was wanted, and exit status 1. No call here allocates.
#pragma once
#include <stddef.h>

/// Memory aligned to `alignment`, a power of two; ends the process with its line where there is none. `what` is what it is for: "a matrix of
/// 3 × 4". Freed by free().
void *amend_memory_allocate(size_t alignment, size_t bytes, const char *what);

/// The same, or NULL where there is none.
void *amend_memory_try(size_t alignment, size_t bytes);

/// The line and the end. For memory that is missing, `bytes` of it, for `what`. On any thread.
_Noreturn void amend_memory_failed(size_t bytes, const char *what);

/// The line of a failure that the caller can report in its own way, without line feed: "out of memory: …". Returns its length.
size_t amend_memory_describe(char *text, size_t capacity, size_t bytes, const char *what);

/// Bytes of address space that the process may still map by its limit (ulimit -v); -1 without one.
long amend_memory_room(void);

/// What the line begins with: "rank 1/2: ". Copied.
void amend_memory_set_speaker(const char *speaker);

/// What the process is at: "training batch 3". Copied; empty for nothing.
void amend_memory_set_activity(const char *work);

/// What is added to the line where no rescue (below) says more: what is kept already. Copied; empty for nothing.
void amend_memory_set_kept(const char *note);

/// Called once before a failure ends the process, on the thread that failed, to save what can be saved: writes what is to be added to the line
/// into `note`, a text of at most `capacity` bytes with its 0. NULL: nothing.
void amend_memory_set_rescue(void (*rescue)(char *note, size_t capacity));
