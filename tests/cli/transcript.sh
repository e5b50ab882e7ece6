#!/bin/bash
# What `hinomi` prints, against a real api over a known world (tests/server/api/world.c): a transcript
# with exit codes is compared with transcript.expected. `transcript.sh --update HINOMI API_UNDER_TEST`
# writes it anew; read the difference before it is committed.
set -u
update=
[ "$1" = --update ] && { update=1; shift; }
hinomi=$1 server=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'exec {to}>&- 2>/dev/null; rm -rf "$work"' EXIT

coproc AUT { exec "$server" 2>"$work/server.log"; }
exec {to}>&"${AUT[1]}" {from}<&"${AUT[0]}"
while read -r -u "$from" key value; do
    declare "srv_$key=$value"
    [ "$key" = password ] && break
done
unset HINOMI_CONFIG XDG_CONFIG_HOME
export HOME=$work HINOMI_STATE=$srv_state HINOMI_SERVER=127.0.0.1:$srv_port TZ=UTC LC_ALL=C.UTF-8
export HINOMI_LANG=en

# ids and times of this run
plain() {
    sed -E 's/[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}/YYYY-MM-DD hh:mm:ss/g
        s/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,}Z/TIME/g
        s/hm[ea]_[0-9a-f]+/TOKEN/g; s/(order|at:|CA is|fingerprint) [0-9a-f]{32,64}/\1 ID/g
        s/127\.0\.0\.1:[0-9]{4,5}/SERVER/g; s/"(id|counter)": "[0-9a-f]{32}"/"\1": "ID"/g
        s/^[0-9a-f]{8}  (.*(requested|done|failed|local))/ORDER     \1/
        s/((token\.create|exception\.(add|end)) +)[0-9a-f]{32}/\1ID/; s/^[0-9a-f]{32}$/ID/; s/^[0-9a-f]{8}(  active)/EXCEPTN.\1/; s/--ca-sha256 [0-9a-f]{64}/--ca-sha256 FP/g; s/"token": "[^"]*"/"token": "TOKEN"/; s/is [0-9a-f]{64}/is FP/g'
}
run() { # words of a command
    printf '$ hinomi %s\n' "$*" | plain
    "$hinomi" "$@" </dev/null >"$work/out" 2>&1
    local code=$?
    plain <"$work/out"
    printf '[%d]\n\n' "$code"
}
# the endpoint's report on the order that these words ask for
run_with() { # STATE DETAIL words…
    local state=$1 detail=$2
    shift 2
    printf 'outcome %s %s %s\n' "$1" "$state" "$detail" >&"$to"
    run "$@"
}

{
    run version
    run bogus
    run alerts --colour red
    run alert
    run overview
    run endpoints
    run endpoints --state silent
    run alerts
    run alerts --severity high
    run alerts --severity purple
    run stories
    run alert a2
    run alert a
    run alert 77
    run alert zz
    run tree a2
    run timeline a2
    run state a1 CONFIRMED
    run state a1 NEW
    run state a1 FALSE_POSITIVE
    run events --class process
    run events --class nothing
    run_with 'done' '{"killed":[{"pid":4242,"key":"fedcba9876543211","image":"/bin/sh"},{"pid":4243,"key":"fedcba9876543212","image":"/tmp/.cache-update"}],"survived":[]}' kill a2
    run_with 'done' '{"killed":[{"pid":4242,"key":"fedcba9876543211","image":"/bin/sh"}],"survived":[{"pid":7,"key":"fedcba9876543213","image":"/bin/bash"}]}' kill a2
    run_with refused '{"error":"the counter is not above the last one"}' kill --process fedcba9876543211 --endpoint practice
    run kill --process fedcba9876543211
    run kill 99
    run_with 'done' '{"isolated":true,"layers":["tcx"],"probes":[{"name":"server","expect":"open","result":"open"},{"name":"outside-v4","expect":"closed","result":"closed"}]}' isolate practice
    run_with failed '{"isolated":false,"layers":[],"probes":[{"name":"outside-v4","expect":"closed","result":"open"}]}' isolate 1111 --expires 600
    run isolate nobody
    run isolate practice --no-wait
    run release practice --wait 1
    run_with 'done' '{"drill":"reverse-shell","started":true}' drill run reverse-shell
    run drill run nothing
    run drill
    run orders
    run token create --group 経理 --uses 3
    run token list
    run exception
    run exception add --title backup
    run exception add --title backup --owner 情報政策課 --reason 'the nightly backup' --expires 86400
    run exception add --title backup --owner 情報政策課 --reason 'the nightly backup' --expires 86400 --where 'process.image|ends: x'
    run exception add --title backup --owner 情報政策課 --reason 'the nightly backup' --expires 86400 --rule rule-1 --where 'class: process' --preview
    run exception add --title backup --owner 情報政策課 --reason 'the nightly backup' --expires 86400 --rule rule-1 --where 'class: file' --preview
    run exception add --title backup --owner 情報政策課 --reason 'the nightly backup' --expires 86400 --rule rule-1 --where 'class: process'
    run exception list
    run exception end 77
    run rules
    run audit --limit 3
    run schema
    run overview --server 127.0.0.1:1
    export HINOMI_LANG=ja
    run endpoints
    run alerts
    run stories --state open
    run alert a2
    run alert 77
    run_with 'done' '{"killed":[{"pid":4242,"key":"fedcba9876543211","image":"/bin/sh"}],"survived":[]}' kill a2
    export HINOMI_LANG=en
    # without root's token: sign in, by the pinned CA only
    export HINOMI_STATE=$work/nothing
    server=$HINOMI_SERVER
    unset HINOMI_SERVER
    run overview
    run login --server "$server"
    run login --server "$server" --ca-sha256 "$(printf '0%.0s' {1..64})"
    printf '$ hinomi login (one-time password, then a new one)\n'
    printf '%s\n%s\n' "$srv_password" "火の見やぐらの上から見る" |
        "$hinomi" login --server "$server" --ca-sha256 "$srv_ca" 2>&1 | plain
    stat -c '%a' "$work/.config/hinomi/cli.json"
    run overview
    run drill run reverse-shell --no-wait
    run logout
    run overview
} >"$work/transcript"

# --json of every listing must be JSON, and follow must show what comes
export HINOMI_STATE=$srv_state HINOMI_SERVER=127.0.0.1:$srv_port
bad=0
for c in 'exception list' overview endpoints alerts stories orders rules audit events 'alert a2' 'tree a2' 'timeline a2' 'token list' 'schema'; do
    # shellcheck disable=SC2086
    "$hinomi" $c --json >"$work/json" 2>&1 || { echo "$c --json failed"; bad=1; }
    perl -MJSON::PP -0777 -ne 'decode_json($_)' "$work/json" || { echo "$c --json is no JSON"; bad=1; }
    if LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f]|\xe2\x80\xae' "$work/json"; then
        echo "$c --json holds control or direction characters"
        bad=1
    fi
done
printf 'event one more\nevent and "another" {[,\n' >&"$to"
sleep 0.5
"$hinomi" events --all --json >"$work/all"
perl -MJSON::PP -ne 'decode_json($_); $n++; END { exit($n == 3 ? 0 : 1) }' "$work/all" || { echo "events --all --json: not three lines of JSON"; cat "$work/all"; bad=1; }
"$hinomi" events --follow --q needle >"$work/follow" 2>&1 &
follow=$!
sleep 1
printf 'event a needle in the hay\nevent only hay\n' >&"$to"
for _ in $(seq 50); do
    grep -q needle "$work/follow" && break
    sleep 0.1
done
kill "$follow"
wait "$follow" 2>/dev/null
grep -q 'a needle in the hay' "$work/follow" || { echo "events --follow did not show the event"; bad=1; }
grep -q 'only hay' "$work/follow" && { echo "events --follow showed what was not asked for"; bad=1; }

if [ -n "$update" ]; then
    cp "$work/transcript" "$here/transcript.expected"
else
    diff -u "$here/transcript.expected" "$work/transcript" || bad=1
fi
[ "$bad" = 0 ] || cat "$work/server.log"
exit "$bad"
