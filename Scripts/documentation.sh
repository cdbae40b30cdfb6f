#!/usr/bin/env bash
# Builds the library's documentation with DocC: what is public, module by module. Fails where something public has no documentation of its own, and
# where DocC warns (a link that leads nowhere, a parameter that is none). usage: documentation.sh [directory]     default: .build/documentation
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.bash
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
cd "$root"

output=${1:-.build/documentation}
swift build -c release --product amend >&2
built=$(swift build -c release --show-bin-path)
docc=$(dirname "$(readlink -f "$(command -v swift)")")/docc
[ -x "$docc" ] || die "there is no docc beside swift ($docc)"

# The C modules that Swift's import; their module maps are not beside the Swift modules.
read -r -a c_flags <<<"$(pkg-config --cflags-only-I ompi-c openblas libzstd)"
for map in "$root"/Sources/C*/module.modulemap "$built"/C*.build/module.modulemap "$root"/.build/checkouts/*/Sources/C*/include/module.modulemap; do
    c_flags+=(-Xcc "-fmodule-map-file=$map")
done

graphs=$(mktemp -d)
trap 'rm -rf "$graphs"' EXIT
modules=$(grep -lE '^ *public ' --recursive Sources --include='*.swift' | cut -d/ -f2 | sort -u)
for module in $modules; do
    swift symbolgraph-extract -module-name "$module" -I "$built/Modules" "${c_flags[@]}" -target "$(uname -m)-unknown-linux-gnu" \
        -output-dir "$graphs" -minimum-access-level public -omit-extension-block-symbols -skip-synthesized-members >&2
done
python3 Scripts/check-documentation.py "$graphs"
rm -rf "$output"
"$docc" convert --additional-symbol-graph-dir "$graphs" --fallback-display-name amend --fallback-bundle-identifier amend \
    --output-path "$output" --warnings-as-errors >&2
say "documentation of $(echo "$modules" | xargs): $output"
