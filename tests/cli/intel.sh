#!/bin/sh
# `hinomi intel check`: what it prints and its exit code, on good and bad feeds, without a server.
# usage: intel.sh HINOMI SOURCE_ROOT
set -eu
hinomi=$(realpath "$1") root=$(realpath "$2")
tmp=$(mktemp -d)
trap 'rm -rf --one-file-system "$tmp"' EXIT
cd "$tmp"
export HINOMI_LANG=en
failed=0

# check NAME EXPECTED_CODE ARGUMENT…: output to out, errors to err
check() {
    name=$1 want=$2
    shift 2
    code=0
    "$hinomi" intel "$@" >out 2>err || code=$?
    [ "$code" = "$want" ] || { echo "FAILED $name: exit code $code, not $want"; cat out err; failed=1; }
}
same() { # NAME: the output is exactly standard input
    cat >expected
    cmp -s out expected || { echo "FAILED $1"; diff expected out || true; failed=1; }
}
has() { # NAME FILE TEXT
    grep -qF -- "$3" "$2" || { echo "FAILED $1: no \"$3\" in"; cat "$2"; failed=1; }
}

mkdir lists lists/one
cat >lists/one/list.json <<'J'
{"name":"our own","type":"hostname","matching_attributes":["domain","hostname"],"list":["intranet.example"]}
J
printf 'evil[.]com # C2\nEVIL.com\nwww.intranet.example\n198.51.100.7:443\n' >good.txt
printf 'type,value\nip,198.51.100.300\nsha512,ab\nmd5,"0c2674c3a97c53082187d930efb645c2\n' >bad.csv

check good 0 check good.txt --warninglists lists
same good <<'T'
good.txt: format list
  good.txt:3 warned: on a warning list (our own) — www.intranet.example
  loaded 3  warned 1
  ip 1 domain 2
set: 2 indicators, 1 duplicates merged, 0.7 KiB, of which filter 0.0 KiB
T
check bad 1 check bad.csv
has bad out 'bad.csv:2 malformed: not an address or CIDR block (ip) — 198.51.100.300'
has bad out 'bad.csv:3 unsupported: this type of value is not looked up (sha512) — ab'
has bad out 'bad.csv:4 cut off: the feed ends here, in the middle of an entry'
HINOMI_LANG=ja check japanese 1 check bad.csv
has japanese out 'bad.csv:2 形式エラー: IP アドレスでも CIDR でもありません (ip) — 198.51.100.300'
has japanese out '途中で終了'
check both 1 check good.txt bad.csv --json
python3 - <<'P' || failed=1
import json
o = json.load(open('out'))
assert [f['format'] for f in o['files']] == ['list', 'csv'], o
assert o['files'][1]['notes'][0] == {'outcome': 'malformed', 'line': 2, 'value': '198.51.100.300',
    'detail': 'ip', 'reason': 'not an address or CIDR block'}, o['files'][1]['notes'][0]
assert o['outcomes']['loaded'] == 3 and o['outcomes']['duplicate'] == 1, o['outcomes']
assert o['outcomes']['malformed'] == 1 and o['outcomes']['cut-off'] == 1, o['outcomes']
assert o['set']['count'] == 3, o['set']
P
printf 'ev\033[31mil\n' >hostile.txt
check hostile 1 check hostile.txt
has hostile out 'ev\u{001b}[31mil'
check missing 1 check nothing-there
check nobody 2 check
check usage 2 chekc good.txt
check folder 1 check lists
check no-lists 1 check good.txt --warninglists nothing-there

corpus=$root/../shared/corpus/intel
if [ -d "$corpus" ]; then
    check corpus 0 check "$corpus"/signature-base/*-iocs.txt --warninglists "$corpus/warninglists" --json
    python3 - <<'P' || failed=1
import json
o = json.load(open('out'))
got = {f['format']: (f['outcomes']['loaded'], f['outcomes']['warned']) for f in o['files']}
assert got == {'c2-iocs': (1842, 2), 'filename-iocs': (3828, 0), 'hash-iocs': (3224, 0)}, got
assert o['outcomes']['malformed'] == 0
P
else
    echo "skipped: the corpus is not beside this checkout"
fi
exit $failed
