# Sourced by the scripts of this folder: where the project is, messages, building, and how amend is started.
# shellcheck shell=bash disable=SC2034

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
amend=$root/.build/release/amend

say() { printf '%s\n' "$*" >&2; }
step() { printf '\n== %s\n' "$*" >&2; }
die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

build_amend() {
    (cd "$root" && swift build -c release --product amend >&2) || die "amend does not build; see the messages above"
}

# Ranks share all cores of the machine and divide them themselves. The single-copy transport of Open MPI fails in
# containers that do not allow one process to read another's memory; going through shared memory costs little here.
use_mpi() {
    export OMPI_MCA_btl_vader_single_copy_mechanism=${OMPI_MCA_btl_vader_single_copy_mechanism:-none}
    # A rank that waits for another gives its core to whoever needs it: ranks may outnumber free cores.
    export OMPI_MCA_mpi_yield_when_idle=${OMPI_MCA_mpi_yield_when_idle:-1}
    if [ "$(id -u)" = 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
}

# with_ranks NUMBER PROGRAM [ARGUMENT …]: on this machine, also where that has fewer cores than ranks.
with_ranks() {
    local ranks=$1
    shift
    use_mpi
    mpirun --quiet --bind-to none --oversubscribe -np "$ranks" "$@"
}

# The clang that Swift compiles C with; others may be too old for the kernels.
swift_clang() {
    local beside
    beside=$(dirname "$(readlink -f "$(command -v swift)")")/clang
    if [ -x "$beside" ]; then echo "$beside"; else command -v clang || die "found no clang, neither beside swift nor on the path"; fi
}

# build_kernel_check PROGRAM [OPTION of clang …]: the program of Tests/KernelTests, optimised as SwiftPM does, unless it is up to date.
build_kernel_check() {
    local program=$1
    shift
    local folders=("$root/Sources/CKernels" "$root/Tests/KernelTests")
    if [ -x "$program" ] && [ -z "$(find "${folders[@]}" -newer "$program")" ]; then return; fi
    mkdir -p "$(dirname "$program")"
    "$(swift_clang)" -O2 -Wall -Wextra -I"$root/Sources/CKernels/include" "$@" -o "$program" "$root"/Sources/CKernels/*.c "$root"/Tests/KernelTests/*.c \
        -lm -lpthread || die "the kernel check does not build; see the messages above"
}

# kernel_checksums FILE: the lines of a kernel check's output that are the same on every processor.
kernel_checksums() { sed -n 's/ outputs  \([0-9a-f]*\).*/ outputs  \1/p' "$1"; }
