#!/bin/bash
# Runs one fuzz target: run.sh SECONDS TARGET, called by `make fuzz`. New inputs go to target/fuzz/corpus, a finding's
# bytes to target/fuzz/artifacts; only the seeds in fuzz/corpus are ours to keep.
set -u
seconds=$1 target=$2
found=target/fuzz/corpus/$target log=target/fuzz/$target.log
mkdir -p "$found" "target/fuzz/artifacts/$target"
options=(-max_total_time="$seconds" -rss_limit_mb=1024 -timeout=20 -max_len=65536 -print_final_stats=1)
[ -f "fuzz/dictionaries/$target" ] && options+=(-dict="fuzz/dictionaries/$target")
# Killed outright where libFuzzer's own limits do not bite.
if timeout --kill-after=10 $((seconds + 120)) "$FUZZ_BIN/$target" "${options[@]}" \
  -artifact_prefix="target/fuzz/artifacts/$target/" "$found" "fuzz/corpus/$target" >"$log" 2>&1; then
  printf 'fuzz %-10s ok: %s inputs tried, %s kept\n' "$target" \
    "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" "$(find "$found" -type f | wc -l)"
else
  printf 'fuzz %s FOUND SOMETHING; the end of %s:\n' "$target" "$log"
  tail -n 60 "$log"
  # xargs goes on with the others and fails in the end.
  exit 1
fi
