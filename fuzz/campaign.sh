#!/usr/bin/env bash
# Runs fuzz targets one after the other and prints a table of what they did.
#
#   fuzz/campaign.sh SECONDS [TARGET...]
#
# SECONDS for each target (default: all of them). Inputs that are worth keeping
# go to fuzz/corpus/TARGET, which is not committed; crates/vta-fuzz/corpus/TARGET is
# where they begin. Inputs that break a promise go to fuzz/artifacts/TARGET: the
# target goes on with what is left of its time.
set -euo pipefail
seconds=${1:?"usage: fuzz/campaign.sh SECONDS [TARGET...]"}
shift
cd "$(dirname "$0")"
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  mapfile -t targets < <(sed -n 's/^path = "fuzz_targets\/\(.*\)\.rs"$/\1/p' Cargo.toml)
fi
# Without a sanitizer: the code is safe but for a few loops over vectors of the CPU.
bin=${FUZZ_BIN:-target/x86_64-unknown-linux-gnu/release}
logs=${FUZZ_LOGS:-target/campaign}
mkdir -p "$logs"
if [ -z "${FUZZ_BIN:-}" ]; then
  cargo +nightly fuzz build -O -s none --features train
fi
echo "| target | executions | executions per second | coverage (edges) | inputs kept | found |"
echo "| --- | ---: | ---: | ---: | ---: | ---: |"
for target in "${targets[@]}"; do
  corpus=${FUZZ_CORPUS:-corpus}/$target
  artifacts=${FUZZ_ARTIFACTS:-artifacts}/$target
  mkdir -p "$corpus" "$artifacts"
  log=$logs/$target.log
  end=$((SECONDS + seconds))
  executions=0
  : > "$log"
  while left=$((end - SECONDS)); [ "$left" -gt 0 ]; do
    # One input of 16 KiB is enough for any of them; more than 2 GiB or 10 s is a finding.
    "$bin/$target" "$corpus" "../crates/vta-fuzz/corpus/$target" \
      -artifact_prefix="$artifacts/" -max_total_time="$left" -max_len=16384 \
      -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 -use_value_profile=0 \
      > "$log.part" 2>&1 || true
    n=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log.part" | tail -1)
    executions=$((executions + ${n:-0}))
    cat "$log.part" >> "$log"
    # A part that did nothing would go on for ever.
    [ "${n:-0}" -gt 0 ] || break
  done
  rm -f "$log.part"
  coverage=$({ grep -ao 'cov: [0-9]*' "$log" || true; } | awk '{ if ($2 > m) m = $2 } END { print m + 0 }')
  kept=$(find "$corpus" -type f | wc -l)
  found=$(find "$artifacts" -type f | wc -l)
  echo "| \`$target\` | $executions | $((executions / seconds)) | $coverage | $kept | $found |"
done
