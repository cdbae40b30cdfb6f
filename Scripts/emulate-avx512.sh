#!/usr/bin/env bash
# Runs the AVX-512 kernels on a processor that has none: boots Debian's Linux with the kernel check (Tests/KernelTests) in Bochs and
# compares what the kernels wrote with this processor's bits. Debian 12 emulates a Skylake-X (Bochs 2.7), Debian 13 a Sapphire Rapids (Bochs
# 3.0), which multiplies bfloat16 too. Takes minutes, most of them to start Linux: not part of test.sh. Bochs and Linux (a vmlinuz) can be
# given; Bochs 3.0 does not get through the start of Debian 12's Linux 6.1.
# usage: [BOCHS=program] [LINUX=file] emulate-avx512.sh [option of the kernel check: --only KERNEL, --seed NUMBER, --cases NUMBER …]
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.bash
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
folder=$root/.build/kernel-check
bochs=${BOCHS:-bochs-bin}
linux=$folder/vmlinuz
options=(--cases 50 "$@")
isolinux=/usr/lib/ISOLINUX/isolinux.bin
modules=/usr/lib/syslinux/modules/bios

missing_packages() {
    command -v "$bochs" >/dev/null || echo bochs bochs-term bochsbios vgabios
    [ -e "$isolinux" ] || echo isolinux
    [ -e "$modules/ldlinux.c32" ] || echo syslinux-common
    command -v xorriso >/dev/null || echo xorriso
    command -v cpio >/dev/null || echo cpio
    [ -x /bin/busybox ] && /bin/busybox poweroff --help >/dev/null 2>&1 || echo busybox-static
}

# Debian's kernel, unpacked and not installed.
fetch_linux() {
    if [ -n "${LINUX:-}" ]; then linux=$LINUX; fi
    [ -e "$linux" ] && return
    step "fetching Linux"
    local package
    package=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
    [ -n "$package" ] || die "apt knows no linux-image-amd64; this needs Debian on x86-64"
    (
        unpacked=$(mktemp -d)
        trap 'rm -rf "$unpacked"' EXIT
        cd "$unpacked"
        apt-get download -qq "$package" >&2
        dpkg-deb -x "$package"_*.deb .
        cp boot/vmlinuz-* "$linux"
    ) || die "could not fetch $package"
}

# A CD whose Linux runs the check, says how it ended and turns the machine off.
make_disc() { # VARIANT
    local disc
    disc=$(mktemp -d)
    mkdir "$disc/system"
    cp "$folder/static" "$disc/system/kernel-check"
    cp /bin/busybox "$disc/system/busybox"
    printf '#!/busybox sh\n/kernel-check --require %s %s\necho "exit status $?"\n/busybox sleep 1\n/busybox poweroff -f\n' "$1" "${options[*]}" \
        >"$disc/system/init"
    chmod +x "$disc/system/init"
    (cd "$disc/system" && find . | cpio --quiet -o -H newc) >"$disc/initrd"
    rm -r "$disc/system"
    cp "$linux" "$disc/vmlinuz"
    cp "$isolinux" "$modules/ldlinux.c32" "$disc"
    # Bochs 2.7 reports a wrong size for the compacted form of XSAVE, and Linux, finding that, would turn AVX off.
    cat >"$disc/isolinux.cfg" <<'CONFIGURATION'
default check
label check
  kernel /vmlinuz
  append initrd=/initrd console=ttyS0 quiet loglevel=1 clearcpuid=xsavec,xsaves tsc=reliable mitigations=off
CONFIGURATION
    xorriso -as mkisofs -quiet -o "$folder/disc.iso" -b isolinux.bin -c boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table "$disc" >&2
    rm -r "$disc"
}

emulate() { # MODEL
    cat >"$folder/bochsrc" <<CONFIGURATION
config_interface: textconfig
display_library: rfb, options="timeout=0"
cpu: model=$1, ips=50000000, reset_on_triple_fault=0
megs: 512
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/vgabios/vgabios.bin
ata0: enabled=1
ata0-master: type=cdrom, path=$folder/disc.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=$folder/serial.txt
log: $folder/bochs.log
panic: action=fatal
CONFIGURATION
    rm -f "$folder/serial.txt"
    echo continue >"$folder/commands" # for the debugger with which Debian builds Bochs
    timeout 3h "$bochs" -q -f "$folder/bochsrc" -rc "$folder/commands" >"$folder/bochs.txt" 2>&1 </dev/null || true # 1 once it is turned off
    [ -s "$folder/serial.txt" ] || die "nothing ran; see $folder/bochs.txt and bochs.log"
    tr -d '\r' <"$folder/serial.txt" >"$folder/avx512.txt"
}

mapfile -t packages < <(missing_packages)
[ ${#packages[@]} -eq 0 ] || die "missing; as root: apt-get install --no-install-recommends ${packages[*]}"
mkdir -p "$folder"
fetch_linux

step "kernels on this processor"
build_kernel_check "$folder/static" -static
"$folder/static" "${options[@]}" | tee "$folder/static.txt" || die "the kernels differ; see above"

variant=avx512 model=corei7_skylake_x
models=$("$bochs" --help cpu 2>&1) || true
if [[ $models == *sapphire_rapids* ]]; then # without what the kernels do not use and Linux may stumble over
    variant=avx512bf16 model='sapphire_rapids, exclude_features="xsavec, xsaves, la57, cet, pku, pks, uintr, amx, amx_int8, amx_bf16, tsc_deadline, serialize, movdiri, movdir64b, waitpkg, smap"'
fi
step "kernels on an emulated ${model%%,*}"
make_disc "$variant"
emulate "$model"
cat "$folder/avx512.txt"
grep -q '^exit status 0$' "$folder/avx512.txt" || die "the check failed or did not end; see above"
diff <(kernel_checksums "$folder/static.txt") <(kernel_checksums "$folder/avx512.txt") || die "the emulated (>) and this processor (<) wrote other bits"
say "${variant} and this processor wrote the same bits"
