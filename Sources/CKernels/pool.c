#include "pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

typedef struct {
    void (*body)(void *, long);
    void *context;
    long count;
    atomic_long next;
    atomic_int running;       // workers that have not finished this loop
    atomic_ulong generation;  // rises by one with every loop; workers wait for it
} loop_t;

static loop_t loop;
static pthread_t *workers;
static int worker_count;
static atomic_int stopping;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static _Thread_local int inside;

// A loop is short and the next one follows at once: a worker spins this often before it sleeps.
enum { SPINS = 4000 };

// Of a worker, whatever `ulimit -s` says: thread-local variables are taken from it, and kernels have most of a megabyte of them.
enum { WORKER_STACK = 8 << 20 };

static inline void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void work(void) {
    inside = 1;
    for (long i; (i = atomic_fetch_add(&loop.next, 1)) < loop.count;) loop.body(loop.context, i);
    inside = 0;
}

static void *worker(void *argument) {
    unsigned long seen = (unsigned long)argument;
    for (;;) {
        for (int spin = 0; spin < SPINS && atomic_load(&loop.generation) == seen; spin++) pause_briefly();
        if (atomic_load(&loop.generation) == seen) {
            pthread_mutex_lock(&mutex);
            while (atomic_load(&loop.generation) == seen) pthread_cond_wait(&wake, &mutex);
            pthread_mutex_unlock(&mutex);
        }
        seen = atomic_load(&loop.generation);
        if (atomic_load(&stopping)) return NULL;
        work();
        atomic_fetch_sub(&loop.running, 1);
    }
}

static void announce(void) {
    pthread_mutex_lock(&mutex);
    atomic_fetch_add(&loop.generation, 1);
    pthread_cond_broadcast(&wake);
    pthread_mutex_unlock(&mutex);
}

void amend_pool_start(int threads) {
    if (worker_count) {
        atomic_store(&stopping, 1);
        announce();
        for (int i = 0; i < worker_count; i++) pthread_join(workers[i], NULL);
        free(workers);
        atomic_store(&stopping, 0);
        worker_count = 0;
    }
    if (threads <= 1) return;
    workers = malloc(sizeof(pthread_t) * (size_t)(threads - 1));
    if (!workers) return;
    unsigned long generation = atomic_load(&loop.generation);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, WORKER_STACK);
    while (worker_count < threads - 1
           && pthread_create(&workers[worker_count], &attributes, worker, (void *)generation) == 0) worker_count++;
    pthread_attr_destroy(&attributes);
}

int amend_pool_threads(void) { return worker_count + 1; }

void amend_pool_run(long count, void (*body)(void *, long), void *context) {
    if (inside || worker_count == 0 || count <= 1) {
        for (long i = 0; i < count; i++) body(context, i);
        return;
    }
    loop.body = body;
    loop.context = context;
    loop.count = count;
    atomic_store(&loop.next, 0);
    atomic_store(&loop.running, worker_count);
    announce();
    work();
    for (long spin = 0; atomic_load(&loop.running); spin++) {
        if (spin < SPINS) pause_briefly();
        else sched_yield();  // a worker has lost its core to another process: let it have this one
    }
}
