// Which instruction set the kernels use: 0 portable, 1 AVX2 with FMA, 2 AVX-512, 3 AVX-512 with products of bfloat16, 4 also
// with matrix tiles of them.
#pragma once
int amend_variant_index(void);
