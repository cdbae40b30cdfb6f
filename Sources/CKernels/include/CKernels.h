#pragma once
#include "gemm.h"
#include "kernels.h"
#include "pool.h"
