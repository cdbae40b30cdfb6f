#!/usr/bin/env bash
# Compares the C kernels' variants with each other and with plain references (Tests/KernelTests): those that this processor offers, and,
# where a cross compiler and an emulator are installed, those of 64-bit ARM, which must write the same bits.
# usage: test-kernels.sh [option of the kernel check: --require VARIANT, --only KERNEL, --seed NUMBER, --cases NUMBER …]
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.bash
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
folder=$root/.build/kernel-check

run() {
    local output=$1
    shift
    "$@" | tee "$output" || die "the kernels differ; see above"
}

step "kernels on this processor"
build_kernel_check "$folder/native"
run "$folder/native.txt" "$folder/native" "$@"

step "kernels on 64-bit ARM"
if ! command -v qemu-aarch64-static >/dev/null || ! command -v aarch64-linux-gnu-gcc >/dev/null; then
    say "skipped; as root: apt-get install qemu-user-static gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
    exit
fi
build_kernel_check "$folder/aarch64" --target=aarch64-linux-gnu -static
run "$folder/aarch64.txt" qemu-aarch64-static "$folder/aarch64" "$@"
if head -n 1 "$folder/native.txt" | grep -q 'not fused);'; then
    say "this processor has no fused multiply-add: its bits are its own, and not compared"
elif ! diff <(kernel_checksums "$folder/native.txt") <(kernel_checksums "$folder/aarch64.txt"); then
    die "64-bit ARM (>) and this processor (<) wrote other bits"
else
    say "64-bit ARM and this processor wrote the same bits"
fi
