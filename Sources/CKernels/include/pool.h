// A fixed set of threads that run the iterations of a loop. One pool per process, used from one thread at a time.
#pragma once

/// Starts `threads` - 1 workers (the caller is the first). Calling it again with another number replaces the pool.
void amend_pool_start(int threads);
int amend_pool_threads(void);

/// Runs body(context, i) for every i in 0..<count, each exactly once, in no fixed order, and returns when all are done.
/// A call from inside a body runs its iterations in place.
void amend_pool_run(long count, void (*body)(void *context, long index), void *context);
