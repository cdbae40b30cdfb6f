#include "gemm.h"
int amend_vector_width(void) { return 8; }
