// Open MPI's handles and constants are cast macros, which Swift cannot import: each one used is wrapped here.
#pragma once
#include <mpi.h>
