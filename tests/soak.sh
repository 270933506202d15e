#!/bin/bash
# The long forms of the campaigns, part by part and one after the other, so that each has the machine: soak.sh PART...,
# called by `make soak`. A part that fails does not keep the others from running. What each says is in target/soak; at the
# end stand all parts with what they did.
#
# MINUTES is how long each campaign goes on, if it has not done all before. Without it a part on its own does all of it, or
# what fits into an hour, and several parts what fits into three hours for all of them.
set -u
it=(test --locked --all-features --test it -- --nocapture --test-threads=1)
lib=(test --locked --all-features --lib -- --nocapture)

# The campaigns of each part, by how many minutes they share.
declare -A campaigns=([crash]=3 [faults]=2 [rot]=1 [load]=1 [api]=1 [log]=2 [order]=2 [views]=1 [fuzz]=1 [mutants]=1)

run() {
  case $1 in
    # SIGKILL at any moment, on a new ledger and on filled ones, with both engines.
    crash) cargo "${it[@]}" crashing:: ;;
    # Each call to the operating system fails once, or is the last one.
    faults) cargo "${it[@]}" faults:: ;;
    # A byte of any file rots.
    rot) cargo "${it[@]}" rotting:: ;;
    # Ten times the load, bodies that stay under way, and an honest client beside those who are not.
    load) cargo "${it[@]}" overload:: abuse:: ;;
    # The served description, tried out once for each role.
    api) cargo "${it[@]}" schema_fuzz:: ;;
    # The log on a simulated machine that loses power, and every byte of it flipped.
    log) cargo "${lib[@]}" log::tests ;;
    # The append path's threads in orders that seeds decide.
    order) cargo test --locked --all-features --test protocol ;;
    # The views against their models twenty times as often, in any order of recording, and apart from those who post.
    views) cargo "${lib[@]}" views:: answers:: ;;
    # Every parser that meets the outside.
    fuzz) make --no-print-directory fuzz FUZZ_SECONDS=$((fuzz_minutes * 60)) ;;
    # The folds with a fault put into them: as many as there is time for.
    mutants) make --no-print-directory mutants MUTANTS_MINUTES="$mutants_minutes" ;;
    *) echo "there is no part $1; the parts are: ${!campaigns[*]}"; return 2 ;;
  esac
}

minutes_for() {
  if [ -n "${MINUTES:-}" ]; then echo "$MINUTES"
  elif [ $# -gt 2 ]; then echo $((12 / campaigns[$1] + 2))
  else echo $((50 / campaigns[$1])); fi
}

mkdir -p target/soak
declare -a summary=()
failed=0
for part in "$@"; do
  [ -n "${campaigns[$part]:-}" ] || { run "$part"; exit 2; }
done
for part in "$@"; do
  minutes=$(minutes_for "$part" "$@")
  # Thirteen targets, two at a time.
  fuzz_minutes=$(((minutes + 6) / 7)) mutants_minutes=$minutes
  log=target/soak/$part.log begun=$SECONDS
  echo "soak $part: up to $minutes minutes for each campaign, see $log"
  if DAYBOOK_SOAK=1 DAYBOOK_SOAK_MINUTES=$minutes run "$part" >"$log" 2>&1; then how=ok; else how=FAILED failed=1; fi
  summary+=("$(printf '%-8s %-6s %4d min' "$part" "$how" $(((SECONDS - begun + 30) / 60)))")
  while read -r line; do summary+=("           $line"); done < <(
    sed -n -e 's/^\*\*\* //p' -e '/^[0-9]* seeds: /p' -e '/ orders in /p' -e '/^fuzz /p' -e '/^mutants: /p' \
      -e '/^test result: /p' "$log" | cut -c1-140 | sort -u)
  [ "$how" = ok ] || tail -n 40 "$log"
done
printf '\nsoak: %s\n' "$([ "$failed" = 0 ] && echo "all well" || echo "something FAILED")"
printf '%s\n' "${summary[@]}"
exit "$failed"
