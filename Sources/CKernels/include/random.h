// Random numbers by counter: Philox 4×32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) and Box and Muller's
// normal numbers from it. Additions, multiplications, divisions and square roots of doubles only, each rounded by itself: the same bits
// on every processor and with every C library, which checkpoints depend on.
#pragma once
#include <stdint.h>

/// The 4 · count standard normal numbers of blocks first, first + 1, …: four to a block. `stream` are the upper two words of the counter.
void amend_philox_normals(const uint32_t key[2], const uint32_t stream[2], uint64_t first, long count, float *out);
