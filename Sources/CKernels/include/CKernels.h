#pragma once
#include "gemm.h"
#include "dequantize.h"
