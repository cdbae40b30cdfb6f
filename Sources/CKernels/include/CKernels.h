#pragma once
#include "allocation.h"
#include "dequantize.h"
#include "gemm.h"
#include "kernels.h"
#include "planes.h"
#include "pool.h"
#include "random.h"
