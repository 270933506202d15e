#!/bin/bash
# Puts faults into the folds, one at a time, and looks whether a test notices: run.sh SHARD..., called by `make mutants`.
# SHARD is k/n, the k-th (from 0) of n parts of all mutants; with MINUTES none is begun after so many. What is to be mutated, and by which tests it is held, is in
# .cargo/mutants.toml; outcomes stay in target/mutants, and sum.py adds up those of all shards that were ever run there.
#
# It works on a copy of what is checked in or new here, and the copy is a house without its upper floors: nothing below
# the service imports it, and without it the program of tests is built in less than half the time.
set -eu
root=$PWD/target/mutants
copy=$root/copy
mkdir -p "$root/shards"
rm -rf "$copy"
mkdir "$copy"
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
  [ -e "$file" ] && printf '%s\0' "$file"
done | tar --null --files-from=- --create | tar --extract --directory "$copy"
# Files are as old as they are there, so that dependencies and what rustc keeps between builds stand; this one is newer, so that
# nothing that was built with the last fault is taken for what is here.
sed -E -i '/^pub mod (api|app|cli|demo|web);$/d' "$copy/src/lib.rs"

export CARGO_TARGET_DIR=$root/target CARGO_PROFILE_DEV_DEBUG=none
# The same histories each time, few of them, and none of what failed kept or made smaller.
export PROPTEST_CASES=16 PROPTEST_RNG_SEED=20261130 PROPTEST_MAX_SHRINK_ITERS=0 PROPTEST_DISABLE_FAILURE_PERSISTENCE=1
once=()
for shard in "$@"; do
  if [ -n "${MINUTES:-}" ] && [ "$SECONDS" -ge $((MINUTES * 60)) ]; then break; fi
  out=$root/shards/${shard/\//-of-}
  rm -rf "$out"
  mkdir "$out"
  how=0
  cargo mutants --in-place --no-shuffle --dir "$copy" --output "$out" --shard "$shard" "${once[@]}" \
    --colors never --caught --unviable || how=$?
  # 2 is that something was missed, and 3 that something took too long: sum.py says so. All else is a fault of the run.
  [ "$how" = 0 ] || [ "$how" = 2 ] || [ "$how" = 3 ] || exit "$how"
  # That all is well without a fault is looked at once, and how long that takes.
  [ "${#once[@]}" -gt 0 ] || once=(--baseline skip --timeout "$(tests/mutants/sum.py --patience "$out")")
done
