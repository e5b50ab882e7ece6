#!/bin/sh
# The table in docs/modules/rules.md is what hm-rules says of the rules that ship.
# usage: rules_doc.sh HM_RULES SOURCE_ROOT   (to renew it: REWRITE=1)
set -eu
doc=$2/docs/modules/rules.md
begin='<!-- hm-rules rules/linux: begin -->' end='<!-- end -->'
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
{
    sed "/^$(echo "$begin" | sed 's#/#\\/#g')\$/q" "$doc"
    "$1" "$2/rules/linux"
    sed -n "/^$end\$/,\$p" "$doc"
} >"$dir/new"
if [ -n "${REWRITE:-}" ]; then cat "$dir/new" >"$doc"; fi
diff -u "$doc" "$dir/new" || { echo "docs/modules/rules.md is stale: REWRITE=1 tests/detect/rules_doc.sh BUILD/tools/hm-rules ."; exit 1; }
