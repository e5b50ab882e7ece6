#!/bin/sh
# The library that judges orders gets its time as an argument; it must import no clock.
set -eu
symbols=$(nm -u "$1")
echo "$symbols" | grep -q hm_verify || echo "$symbols" | grep -q hm_stmt_verify || { echo "this is not the order library"; exit 1; }
if echo "$symbols" | grep -E ' (hm_clock_[a-z]+_ns|clock_gettime|gettimeofday|time|ntp_gettime|clock)$'; then
    echo "the order library reads a clock"; exit 1
fi
