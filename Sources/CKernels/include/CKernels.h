#pragma once
#include "gemm.h"
#include "planes.h"
