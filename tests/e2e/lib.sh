# The real thing on ports and in folders of its own. Source it; everything it starts ends with it.
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/../../tools/lib.sh"
cd "$top" || exit 1
bin=$top/build
work=$(mktemp -d "${TMPDIR:-/tmp}/hinomi-whole.XXXXXX")
chmod 711 "$work"
export HINOMI_STATE=$work/state
mkdir -p "$HINOMI_STATE" && chmod 711 "$HINOMI_STATE"
declare -A pid=()

note() { printf '[%s] %s\n' "$(date +%T.%3N)" "$*"; }
fail() {
    note "FAILED: $*"
    for l in "$work"/*.log; do [ -e "$l" ] && { echo "--- $(basename "$l")"; tail -n 15 "$l"; }; done
    exit 1
}

# until_true SECONDS WHAT command…
until_true() {
    local limit=$1 what=$2 from
    shift 2
    from=$(date +%s%N)
    until "$@" >/dev/null 2>&1; do
        [ $(($(date +%s%N) - from)) -lt $((limit * 1000000000)) ] || fail "not within $limit s: $what"
        sleep 0.05
    done
    took_ms=$((($(date +%s%N) - from) / 1000000))
    note "$what ($took_ms ms)"
}

start() { # NAME command…: in the background, log beside
    local name=$1
    shift
    setpriv --pdeathsig TERM "$@" >>"$work/$name.log" 2>&1 &
    pid[$name]=$!
}
stop() { # NAME: politely, then for good
    local p=${pid[$1]:-}
    [ -n "$p" ] || return 0
    kill -TERM "$p" 2>/dev/null
    for _ in $(seq 100); do kill -0 "$p" 2>/dev/null || break; sleep 0.1; done
    kill -KILL "$p" 2>/dev/null && note "$1 had to be killed"
    wait "$p" 2>/dev/null
    unset "pid[$1]"
}
finish() {
    local code=$?
    trap - EXIT
    for n in practice agent server; do stop "$n"; done
    for n in "${!pid[@]}"; do stop "$n"; done
    # A mount of the host's folders below $work must never be followed by rm: detach what is there,
    # and stay on this file system whatever happens.
    local m
    while read -r m; do umount -l "$m" 2>/dev/null; done < <(awk -v w="$work/" 'index($5, w) == 1 { print $5 }' /proc/self/mountinfo | sort -r)
    if grep -qF " $work/" /proc/self/mountinfo; then note "mounts are left below the work folder: nothing is removed"; exit 1; fi
    if [ "$code" = 0 ]; then rm -rf --one-file-system "$work"; else note "kept: state and logs of this run"; fi
    exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

free_port() { python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])'; }
hinomi() { "$bin/hinomi" "$@"; }

server_up() { # [HOST]
    local host=${1:-127.0.0.1}
    agents=${agents:-$host:$(free_port)}
    web=${web:-$host:$(free_port)}
    cat >"$HINOMI_STATE/server.conf" <<CONF
agents_listen=$agents
console_listen=$web
www=$top/console/dist
packages=$top/dist
rules=$top/rules
public_host=$host
CONF
    if [ ! -e "$HINOMI_STATE/server/core/control.db" ]; then
        "$bin/hinomi-server" init --state "$HINOMI_STATE/server" --config "$HINOMI_STATE/server.conf" --json >"$work/init.json" || fail "init"
        password=$(jq -r .password "$work/init.json")
    fi
    start server "$bin/hinomi-server" run --state "$HINOMI_STATE/server" --config "$HINOMI_STATE/server.conf"
    until_true 30 "server answers" curl -fsS --cacert "$HINOMI_STATE/server/signer/ca.crt" "https://$web/healthz"
    ca_sha256=$(openssl x509 -in "$HINOMI_STATE/server/signer/ca.crt" -outform der | sha256sum | cut -d' ' -f1)
}
token() { hinomi token create --group "${1:-test}" --uses "${2:-1}" --expires 600 --json | jq -r .token; }

practice_up() {
    local args=(practice --state "$HINOMI_STATE/practice" --server "$agents" --rules "$top/rules")
    [ -e "$HINOMI_STATE/practice/identity/endpoint.crt" ] || args+=(--token "$(token practice)" --ca-sha256 "$ca_sha256")
    start practice "$bin/hinomi-agent" "${args[@]}"
    until_true 30 "practice endpoint connected" practice_healthy
    practice_id=$(hinomi endpoints --json | jq -r '.items[] | select(.practice) | .id' | head -n 1)
}
practice_healthy() { [ "$(hinomi endpoints --json | jq '[.items[] | select(.practice and .state == "healthy")] | length')" -ge 1 ]; }
