#!/bin/sh
# docs/adr/0003: the agent installs on a bare machine, so it may need the C library and nothing else.
set -eu
needed=$(readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
[ -n "$needed" ] || { echo "no NEEDED entries read from $1"; exit 1; }
extra=$(echo "$needed" | grep -vE '^(libc|libm|ld-linux-x86-64|ld-linux-aarch64)\.so' || true)
[ -z "$extra" ] || { echo "the agent needs: $extra"; exit 1; }
