#!/bin/bash
# The agent under exactly the capabilities its service unit leaves it: starts, drops its children, and
# makes a journal that uplink's group can read. And a second one on the same state is told so.
# usage: unit_caps.sh AGENT UNIT RULES
set -eu
state=$(mktemp -d /tmp/hm-unit.XXXXXX)
agent=
trap '[ -z "$agent" ] || { kill -TERM "$agent" 2>/dev/null; wait "$agent" || true; }; rm -rf "$state"' EXIT
caps=$(sed -n 's/^CapabilityBoundingSet=//p' "$2" | tr ' ' '\n' | sed 's/^CAP_//' | tr 'A-Z\n' 'a-z,' | sed 's/,$//; s/,/,+/g; s/^/+/')
[ -n "$caps" ] || { echo "no CapabilityBoundingSet in $2"; exit 1; }
own=$(capsh --decode="$(sed -n 's/^CapBnd:\t//p' /proc/self/status)" 2>/dev/null || true)
case $own in *sys_resource*) ;; *) caps=${caps//,+sys_resource/} ;; esac # what this machine lacks anyway
setpriv --bounding-set "-all,$caps" --no-new-privs "$1" run --offline --state "$state" --rules "$3" >"$state/log" 2>&1 &
agent=$!
for _ in $(seq 100); do
    grep -q '"engine":' "$state/status.json" 2>/dev/null && grep -q 'rules, .*epoch' "$state/log" && break
    kill -0 "$agent" || { cat "$state/log"; exit 1; }
    sleep 0.1
done
grep -q 'rules, .*epoch' "$state/log" || { cat "$state/log"; exit 1; }
[ "$(stat -c %a "$state/journal")" = 2750 ] || { echo "journal is $(stat -c %a "$state/journal")"; exit 1; }
"$1" status --state "$state" >/dev/null || { echo "status says it does not run"; exit 1; }
if "$1" run --offline --state "$state" 2>"$state/second"; then echo "a second agent ran on the same state"; exit 1; fi
grep -q "another agent (pid" "$state/second" || { cat "$state/second"; exit 1; }
kill -TERM "$agent"
wait "$agent" || { echo "it did not stop cleanly"; cat "$state/log"; exit 1; }
agent=
"$1" status --state "$state" >/dev/null && { echo "status says it still runs"; exit 1; }
! grep -E 'restart|started again' "$state/log"
