#pragma once
#include "dequantize.h"
#include "gemm.h"
#include "kernels.h"
#include "pool.h"
