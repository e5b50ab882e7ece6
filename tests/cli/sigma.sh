#!/bin/sh
# `hinomi sigma`: what each command prints and its exit code, on good and bad input.
# usage: sigma.sh HINOMI SOURCE_ROOT
set -eu
hinomi=$(realpath "$1") root=$2
tmp=$(mktemp -d)
trap 'rm -rf --one-file-system "$tmp"' EXIT
cd "$tmp"
export HINOMI_LANG=en
failed=0

# check NAME EXPECTED_CODE COMMAND… (stdin as given): output to $tmp/out, errors to $tmp/err
check() {
    name=$1 want=$2
    shift 2
    code=0
    "$@" >out 2>err || code=$?
    [ "$code" = "$want" ] || { echo "FAILED $name: exit code $code, not $want"; cat out err; failed=1; }
}
same() { # NAME EXPECTED: the output is exactly this
    [ "$(cat out)" = "$2" ] || { echo "FAILED $1: got"; cat out; echo "wanted"; echo "$2"; failed=1; }
}
has() { # NAME FILE TEXT
    grep -qF -- "$3" "$2" || { echo "FAILED $1: no \"$3\" in"; cat "$2"; failed=1; }
}

mkdir rules bad empty
cat >rules/login.yml <<'Y'
title: Multiple failed logons
id: a8418a5a-5fc4-46b5-b23b-6c73beb19d41
name: multiple_failed_login
correlation:
    type: event_count
    rules: [failed_login]
    group-by: [User]
    timespan: 10m
    condition: {gte: 3}
---
title: Correlation - Multiple Failed Logins Followed by Successful Login
id: b180ead8-d58f-40b2-ae54-c8940995b9b6
correlation:
    type: temporal_ordered
    rules: [multiple_failed_login, successful_login]
    group-by: [User]
    timespan: 10m
---
title: Single failed login
id: 53ba33fd-3a50-4468-a5ef-c583635cfa92
name: failed_login
logsource: {product: windows, service: security}
detection:
    selection: {EventID: [529, 4625]}
    condition: selection
---
title: Successful login
id: 4d0a2c83-c62c-4ed4-b475-c7e23a9269b8
name: successful_login
logsource: {product: windows, service: security}
detection:
    selection: {EventID: [528, 4624]}
    condition: selection
Y
cat >rules/shell.yml <<'Y'
title: Shell
id: 11111111-2222-4333-8444-555555555555
logsource: {product: linux, category: process_creation}
detection:
    selection: {Image|endswith: /sh}
    filter: {User: root}
    condition: selection and not filter
Y
printf 'title: x\nid: aaaaaaaa-2222-4333-8444-555555555555\nlogsource: {product: linux}\ndetection:\n  a: {B|nosuch: c}\n  condition: a\n' >bad/modifier.yml
printf 'title: [\n' >bad/yaml.yml
cp rules/shell.yml bad/

# --- check
check check-good 0 "$hinomi" sigma check rules
has check-good out "2 files: 3 rules, 2 correlations, 0 filters; 0 refused"
check check-bad 1 "$hinomi" sigma check bad
has check-bad out "bad/modifier.yml:5:"
has check-bad out "bad/yaml.yml:"
has check-bad out "1 rules"
check check-json 1 "$hinomi" sigma check --json bad
has check-json out '"refused":2'
has check-json out '"path":"bad/modifier.yml","line":5'
check check-file 0 "$hinomi" sigma check rules/shell.yml
check check-empty 2 "$hinomi" sigma check empty
check check-missing 2 "$hinomi" sigma check no-such-folder
check check-usage 2 "$hinomi" sigma check
check check-option 2 "$hinomi" sigma check --nosuch rules
check help 0 "$hinomi" sigma help
check eval-help 0 "$hinomi" sigma eval --help
check unknown 2 "$hinomi" sigma nosuch

# --- eval
cat >events.ndjson <<'N'
{"EventID":4625,"Channel":"Security","User":"eva","@timestamp":"2026-11-21T10:00:00Z"}
{"EventID":4625,"Channel":"Security","User":"bob","@timestamp":"2026-11-21T10:00:30Z"}
{"EventID":4625,"Channel":"Security","User":"eva","@timestamp":"2026-11-21T10:01:00Z"}
{"EventID":4625,"Channel":"Security","User":"eva","@timestamp":"2026-11-21T10:10:00Z"}
{"EventID":4624,"Channel":"Security","User":"bob","@timestamp":"2026-11-21T10:10:01Z"}
{"EventID":4624,"Channel":"Security","User":"eva","@timestamp":"2026-11-21T10:10:02Z"}
N
failed_login=53ba33fd-3a50-4468-a5ef-c583635cfa92
success=4d0a2c83-c62c-4ed4-b475-c7e23a9269b8
expected='{"line":1,"rules":["'$failed_login'"]}
{"line":2,"rules":["'$failed_login'"]}
{"line":3,"rules":["'$failed_login'"]}
{"line":4,"rules":["'$failed_login'"]}
{"line":4,"correlations":["a8418a5a-5fc4-46b5-b23b-6c73beb19d41"]}
{"line":5,"rules":["'$success'"]}
{"line":6,"rules":["'$success'"]}
{"line":6,"correlations":["b180ead8-d58f-40b2-ae54-c8940995b9b6"]}'
check eval 0 "$hinomi" sigma eval --rules rules events.ndjson
same eval "$expected"
check eval-stdin 0 sh -c '"$0" sigma eval --rules rules - <events.ndjson' "$hinomi"
same eval-stdin "$expected"
sed 's/$/\r/' events.ndjson >crlf.ndjson
check eval-crlf 0 "$hinomi" sigma eval --rules rules crlf.ndjson
same eval-crlf "$expected"
printf '\357\273\277' | cat - events.ndjson >bom.ndjson
check eval-bom 0 "$hinomi" sigma eval --rules rules bom.ndjson
same eval-bom "$expected"
zstd -q events.ndjson -o events.ndjson.zst
check eval-zst 0 "$hinomi" sigma eval --rules rules events.ndjson.zst
same eval-zst "$expected"
head -c 100 events.ndjson.zst >cut.zst
check eval-zst-cut 1 "$hinomi" sigma eval --rules rules cut.zst
has eval-zst-cut err "damaged"
head -c 160 events.ndjson >cut.ndjson # the second line is cut off
check eval-cut 1 "$hinomi" sigma eval --rules rules cut.ndjson
has eval-cut out '{"line":1,"rules":["'$failed_login'"]}'
has eval-cut out '{"line":2,"error":"'
printf '{"EventID":4625,"Channel":"Security"}' >unended.ndjson
check eval-unended 0 "$hinomi" sigma eval --rules rules unended.ndjson
same eval-unended '{"line":1,"rules":["'$failed_login'"]}'
: >nothing.ndjson
check eval-empty 0 "$hinomi" sigma eval --rules rules nothing.ndjson
same eval-empty ''
printf 'not json\n\n[1]\n{"a":"\377\376"}\n{"EventID":4624,"Channel":"Security"}\n' >mixed.ndjson
check eval-mixed 1 "$hinomi" sigma eval --rules rules mixed.ndjson
[ "$(wc -l <out)" = 5 ] || { echo "FAILED eval-mixed: not one line per line"; cat out; failed=1; }
has eval-mixed out '{"line":1,"error":"'
has eval-mixed out '{"line":2,"rules":[]}'
has eval-mixed out '{"line":3,"error":"'
has eval-mixed out '{"line":4,"error":"'
has eval-mixed out '{"line":5,"rules":["'$success'"]}'
awk 'BEGIN { printf "{\"a\":\""; for (i = 0; i < 20000000; i++) printf "x"; print "\"}"; print "{\"EventID\":4624,\"Channel\":\"Security\"}" }' >huge.ndjson
check eval-huge 1 "$hinomi" sigma eval --rules rules huge.ndjson
has eval-huge out '{"line":1,"error":"'
has eval-huge out '{"line":2,"rules":["'$success'"]}'
check eval-refused 0 "$hinomi" sigma eval --rules bad --rules rules/login.yml events.ndjson
has eval-refused err "bad/modifier.yml:5:"
same eval-refused "$expected"
check eval-no-rules 2 "$hinomi" sigma eval --rules empty events.ndjson
check eval-missing-rules 2 "$hinomi" sigma eval --rules no-such events.ndjson
check eval-missing-file 2 "$hinomi" sigma eval --rules rules no-such.ndjson
check eval-folder 2 "$hinomi" sigma eval --rules rules empty
check eval-usage 2 "$hinomi" sigma eval events.ndjson
# Wrapped lines, as the regression corpus has them; another wrapper by name; "." leaves them alone.
printf '{"must_fire":"x","event":{"EventID":4624,"Channel":"Security"}}\n' >wrapped.ndjson
check eval-wrapped 0 "$hinomi" sigma eval --rules rules wrapped.ndjson
same eval-wrapped '{"line":1,"rules":["'$success'"]}'
check eval-dot 0 "$hinomi" sigma eval --field . --rules rules wrapped.ndjson
same eval-dot '{"line":1,"rules":[]}'
printf '{"host":"a","winlog":{"EventID":4624,"Channel":"Security"}}\n{"host":"a"}\n' >other.ndjson
check eval-field 1 "$hinomi" sigma eval --field winlog --rules rules other.ndjson
has eval-field out '{"line":1,"rules":["'$success'"]}'
has eval-field out '{"line":2,"error":"'
# A deprecated aggregation is a correlation under the rule's own id.
cat >aggregation.yml <<'Y'
title: Old aggregation
id: 22222222-2222-4333-8444-555555555555
logsource: {product: windows, service: security}
detection:
    selection: {EventID: 4625}
    timeframe: 5m
    condition: selection | count() by User > 1
Y
head -3 events.ndjson | grep eva >eva.ndjson
check eval-aggregation 0 "$hinomi" sigma eval --rules aggregation.yml eva.ndjson
same eval-aggregation '{"line":1,"rules":[]}
{"line":2,"rules":[]}
{"line":2,"correlations":["22222222-2222-4333-8444-555555555555"]}'
# A pipe's lines are answered when they come, not at the end.
mkfifo in
"$hinomi" sigma eval --rules rules - <in >streamed &
pid=$!
exec 3>in
head -1 events.ndjson >&3
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -s streamed ] && break
    sleep 0.1
done
[ -s streamed ] || { echo "FAILED eval-stream: nothing came while the input was open"; failed=1; }
exec 3>&-
wait "$pid"

# --- explain
printf '{"Image":"/bin/sh","User":"root\\u001b[2J"}\n{"Image":"x"}\n' >sh.ndjson
check explain 0 "$hinomi" sigma explain rules/shell.yml sh.ndjson
has explain out '✓ selection: Image = "/bin/sh"'
has explain out 'matches'
if grep -q "$(printf '\033')" out; then
    echo "FAILED explain: an escape sequence of the event reached the terminal"
    failed=1
fi
printf '{"Image":"/bin/sh","User":"root"}\n' >root.json
check explain-no 0 "$hinomi" sigma explain --rules rules 11111111-2222-4333-8444-555555555555 root.json
has explain-no out 'does not match, because'
has explain-no out 'filter at 6:'
check explain-unknown 3 "$hinomi" sigma explain --rules rules nosuch root.json
check explain-several 1 "$hinomi" sigma explain rules/login.yml root.json
check explain-json 1 "$hinomi" sigma explain rules/shell.yml rules/shell.yml
check explain-usage 2 "$hinomi" sigma explain rules/shell.yml

# --- test
cat >tested.yml <<'Y'
title: Shell
id: 11111111-2222-4333-8444-555555555556
name: a_shell
logsource: {product: linux, category: process_creation}
detection:
    selection: {Image|endswith: /sh, process.stdin: socket}
    condition: selection
hinomi:
    examples:
        match:
            - {process.image: /bin/sh, process.stdin: socket}
        miss:
            - {process.image: /bin/sh, process.stdin: file}
---
title: Three shells
id: 11111111-2222-4333-8444-555555555557
correlation:
    type: event_count
    rules: [a_shell]
    group-by: [User]
    timespan: 1m
    condition: {gte: 3}
hinomi:
    examples:
        match:
            - [{action: process/exec, repeat: 3, every: 30, process.image: /bin/sh, process.stdin: socket}]
        miss:
            - [{action: process/exec, repeat: 3, every: 31, process.image: /bin/sh, process.stdin: socket}]
Y
check test 0 "$hinomi" sigma test tested.yml
has test out "2 rules with 4 examples tested"
sed 's/every: 31/every: 1/; s/stdin: file/stdin: socket/' tested.yml >wrong.yml
check test-wrong 1 "$hinomi" sigma test wrong.yml
has test-wrong out "wrong.yml:13:"
has test-wrong out "wrong.yml:28:"
has test-wrong out "2 failures"
check test-json 1 "$hinomi" sigma test --json wrong.yml
has test-json out '"failed":2'
check test-own 0 "$hinomi" sigma test "$root/rules"
has test-own out "; 0 failures"

# --- coverage
check coverage 0 "$hinomi" sigma coverage rules
has coverage out "rules/shell.yml: live"
has coverage out "for another product: 2"
check coverage-json 0 "$hinomi" sigma coverage --json rules
has coverage-json out '"live":1,"product":2'

# --- the corpus: every rule has to fire on the events that were recorded for it
corpus=$root/../shared/corpus
if [ -d "$corpus/sigma-regression" ] && command -v python3 >/dev/null; then
    check corpus 0 "$hinomi" sigma eval --rules "$corpus/sigma" "$corpus/sigma-regression/windows.ndjson"
    python3 - "$corpus/sigma-regression/windows.ndjson" out <<'P' || failed=1
import json, sys
# The recordings of two rules hold more than the event that fires: a download's Zone.Identifier
# stream, and the shell and tasklist beside findstr. No reading of those rules matches these lines.
others = {12, 14, 16, 68, 69}
events = [json.loads(l) for l in open(sys.argv[1])]
lines = [json.loads(l) for l in open(sys.argv[2])]
lines = [l for l in lines if "rules" in l]
missed = {i + 1 for i, (e, l) in enumerate(zip(events, lines)) if e["must_fire"] not in l["rules"]}
print(f"must_fire: {len(events) - len(missed)} of {len(events)} lines, "
      f"{len({e['must_fire'] for e in events})} rules")
fired = {e["must_fire"] for i, e in enumerate(events) if i + 1 not in missed}
sys.exit(0 if missed == others and fired == {e["must_fire"] for e in events} else f"FAILED corpus: {missed}")
P
else
    echo "skipped: no corpus at $corpus"
fi
exit $failed
