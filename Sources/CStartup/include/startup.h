// What a program sets right about its process. Linking this target is enough for two things: that it starts with one thread of OpenBLAS's
// (restart.c), and that memory that is missing ends it with a line (malloc.c).
#pragma once
#include <stddef.h>

/// Stacks of at least so many bytes, whatever `ulimit -s` says: for all threads to come, those of libraries too, and for the main thread as far as its
/// limit can be raised. The C library takes thread-local variables, here most of a megabyte, from the stack.
void amend_startup_stacks(size_t bytes);
