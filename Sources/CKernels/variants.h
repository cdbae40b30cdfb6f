// Which instruction set the kernels use: 0 portable, 1 AVX2 with FMA, 2 AVX-512, 3 AVX-512 with products of bfloat16.
#pragma once
int amend_variant_index(void);
