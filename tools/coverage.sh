#!/bin/sh
# Measures line coverage with cargo-tarpaulin and holds it against what is asked of the project.
#
#   tools/coverage.sh [lcov file]     with a file, only judges it
set -eu

cd "$(dirname "$0")/.."
report=${1:-target/coverage/lcov.info}

if [ $# -eq 0 ]; then
    if ! cargo tarpaulin --version >/dev/null 2>&1; then
        echo "coverage: installing cargo-tarpaulin, which takes some minutes"
        cargo install cargo-tarpaulin --locked --version 0.37.5
    fi
    cargo tarpaulin --engine llvm --follow-exec --locked --lib --bins --tests --timeout 2400 --skip-clean \
        --target-dir target/coverage/build --out Lcov --output-dir target/coverage
fi

# Tests and benches are in the report too, but are not what is to be covered.
awk -v root="$PWD/" '
/^SF:/ {
    file = substr($0, 4)
    if (index(file, root) == 1) file = substr(file, length(root) + 1)
}
/^DA:/ {
    split(substr($0, 4), field, ",")
    line = file ":" field[1]
    # A line that several binaries compiled is covered if one of them ran it.
    if (!(line in seen)) { seen[line] = 1; owner[line] = file; hit[line] = 0 }
    if (field[2] > 0) hit[line] = 1
}
function judge(prefix, wanted,    line, all, covered, share) {
    for (line in seen) {
        if (index(owner[line], prefix) == 1) { all++; covered += hit[line] }
    }
    # A folder without lines has nothing that could be uncovered.
    share = all ? 100 * covered / all : 100
    printf "%-16s %6.2f %%  (%d of %d lines, at least %d %%)\n", prefix, share, covered, all, wanted
    if (share < wanted) failed = 1
}
END {
    judge("src/", 85)
    judge("src/scheduler/", 95)
    judge("src/placement/", 95)
    exit failed
}' "$report"
