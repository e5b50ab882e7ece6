#!/bin/bash
# hinomi yara: counts, errors by file and line, exit codes, both languages, JSON; a child that is killed
# costs the file it had, not the others; nothing of a path reaches the terminal as it is.
# usage: yara.sh HINOMI
set -u
hinomi=$1
dir=$(mktemp -d /tmp/hm-yara-cli.XXXXXX)
trap 'rm -rf "$dir"' EXIT
export HINOMI_LANG=en
bad=0
expect() { # WHAT CODE WANTED_CODE TEXT PATTERN
    [ "$2" = "$3" ] && grep -qE -- "$5" <<<"$4" && return
    printf 'FAILED: %s: exit %s (wanted %s), no /%s/ in:\n%s\n' "$1" "$2" "$3" "$5" "$4"
    bad=1
}
mkdir "$dir/rules" "$dir/rules/sub"
printf 'rule good { meta: description = "words" description_ja = "ことば" strings: $a = "MARK" condition: $a }\n' >"$dir/rules/sub/good.yar"

out=$("$hinomi" yara check "$dir/rules"); expect "a good folder" $? 0 "$out" '^1 files, 1 rules, 1 strings, .*; 0 errors, 0 warnings$'
printf 'rule bad {\n strings: $a = /x(/\n condition: $a }\n' >"$dir/rules/bad.yara"
printf 'rule slow { strings: $a = { ?? ?? 41 } condition: $a }\n' >"$dir/rules/slow.yar"
out=$("$hinomi" yara check "$dir/rules"); code=$?
expect "an error has file and line" $code 1 "$out" "^$dir/rules/bad.yara:2: error: bad: "
expect "the others load" $code 1 "$out" '^2 files, 2 rules, 2 strings'
out=$(HINOMI_LANG=ja "$hinomi" yara check "$dir/rules"); expect "Japanese" $? 1 "$out" 'bad.yara:2: エラー: '
out=$("$hinomi" yara check --json "$dir/rules"); code=$?
out=$(jq -r '"\(.files) \(.rules) \(.errors) \(.problems[0].line) \(.problems[0].severity)"' <<<"$out" 2>&1); expect "JSON" $code 1 "$out" '^2 2 [1-9][0-9]* 2 error$'
out=$("$hinomi" yara check "$dir/absent" 2>&1); expect "what is not there" $? 3 "$out" 'absent'
out=$("$hinomi" yara check 2>&1); expect "usage" $? 2 "$out" 'yara check'

name=$'weird\e[31m name'
printf 'MARK' >"$dir/$name"
printf 'nothing' >"$dir/clean"
out=$("$hinomi" yara scan --rules "$dir/rules/sub" "$dir/$name" "$dir/clean"); code=$?
expect "a match" $code 0 "$out" 'name: good \(\$a at 0x0\) words$'
expect "a harmless terminal" $code 0 "$out" 'weird\\u\{001b\}\[31m'
expect "its sum" $code 0 "$out" '^2 files scanned, 1 matched, 0 failed$'
out=$(HINOMI_LANG=ja "$hinomi" yara scan --rules "$dir/rules/sub" "$dir/$name"); expect "its Japanese" $? 0 "$out" 'ことば$'
out=$("$hinomi" yara scan --json --rules "$dir/rules/sub" "$dir/$name" | jq -r '.scanned[0] | "\(.complete) \(.matches[0].rule) \(.matches[0].strings)"'); expect "JSON of a scan" $? 0 "$out" '^true good \$a at 0x0$'

printf 'rule never_ends { condition: filename == "slow" and for all i in (0..1000000000000) : (uint8(0) == 35) }\n' >"$dir/rules/sub/never.yar"
printf '#' >"$dir/slow"
"$hinomi" yara scan --rules "$dir/rules/sub" "$dir/slow" "$dir/$name" >"$dir/out" 2>&1 &
parent=$!
child=
for _ in $(seq 100); do child=$(pgrep -P "$parent") && break; sleep 0.05; done
sleep 1
kill -KILL "$child"
wait "$parent"; code=$?
out=$(cat "$dir/out")
expect "the file of a killed child is named" $code 1 "$out" 'slow: not scanned: it took longer than'
expect "the rest goes on" $code 1 "$out" 'name: good'
out=$("$hinomi" yara scan --rules "$dir/rules/sub" "$dir/slow"); expect "time ends a scan" $? 1 "$out" 'slow: not scanned: .*'
exit $bad
