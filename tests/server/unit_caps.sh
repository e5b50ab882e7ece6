#!/bin/bash
# The server under exactly the capabilities and the umask its service unit leaves it: init makes keys
# nobody else reads, run starts every role under its own uid and answers, and stops cleanly.
# usage: unit_caps.sh SERVER UNIT
set -eu
state=$(mktemp -d /tmp/hm-server-unit.XXXXXX)
server=
trap '[ -z "$server" ] || { kill -TERM "$server" 2>/dev/null; wait "$server" || true; }; rm -rf "$state"' EXIT
chmod 711 "$state"
caps=$(sed -n 's/^CapabilityBoundingSet=//p' "$2" | tr ' ' '\n' | sed 's/^CAP_//' | tr 'A-Z\n' 'a-z,' | sed 's/,$//; s/,/,+/g; s/^/+/')
mask=$(sed -n 's/^UMask=//p' "$2")
[ -n "$caps" ] && [ -n "$mask" ] || { echo "no CapabilityBoundingSet or UMask in $2"; exit 1; }
umask "$mask"
as_unit=(setpriv --bounding-set "-all,$caps" --no-new-privs) # no function: its process must be the server itself
port=$((20000 + RANDOM % 20000))
printf 'agents_listen=127.0.0.1:%d\nconsole_listen=127.0.0.1:%d\n' "$port" "$((port + 1))" >"$state/conf"
"${as_unit[@]}" "$1" init --state "$state/s" --config "$state/conf" --json >"$state/first"
password=$(sed 's/.*"password": "\([^"]*\)".*/\1/' "$state/first")
[ ${#password} -ge 12 ] || { echo "no password in: $(cat "$state/first")"; exit 1; }

"${as_unit[@]}" "$1" run --state "$state/s" --config "$state/conf" >"$state/log" 2>&1 &
server=$!
for _ in $(seq 150); do
    curl -ksf "https://127.0.0.1:$((port + 1))/healthz" >/dev/null && break
    kill -0 "$server" || { cat "$state/log"; exit 1; }
    sleep 0.1
done
[ "$(curl -ksf "https://127.0.0.1:$((port + 1))/healthz")" = ok ] || { cat "$state/log"; exit 1; }
curl -ks -H 'Content-Type: application/json' -d "{\"user\":\"admin\",\"password\":\"$password\"}" \
    "https://127.0.0.1:$((port + 1))/api/v1/session" >"$state/session"
grep -q '"must_change_password":true' "$state/session" || { echo "sign-in: $(cat "$state/session")"; cat "$state/log"; exit 1; }

# A uid each, none of it root's, and nothing of root's capabilities left.
uids=
for pid in $(pgrep -P "$server"); do
    uid=$(awk '/^Uid:/ {print $2 $3 $4}' "/proc/$pid/status")
    grep -q '^CapEff:.*[^0]$' "/proc/$pid/status" && { echo "process $pid kept capabilities"; exit 1; }
    case $uid in 000) echo "process $pid is root"; exit 1 ;; esac
    uids="$uids$uid"$'\n'
done
[ "$(printf %s "$uids" | sort -u | wc -l)" = 5 ] || { echo "not five roles with a uid each: $uids"; exit 1; }

# What a stranger on this machine may read: certificates and public keys. Nothing may be written.
find "$state/s" -type f -perm /o+r ! -name '*.crt' ! -name trust.json >"$state/readable"
find "$state/s" ! -type l -perm /o+w >>"$state/readable"
[ ! -s "$state/readable" ] || { echo "open to everybody:"; xargs -d '\n' ls -ld <"$state/readable"; exit 1; }
for key in signer/ca.key signer/root.key signer/order.key signer/content.key gateway/tls.key api/tls.key admin.token; do
    [ "$(stat -c %a "$state/s/$key")" = 600 ] || { echo "$key is $(stat -c %a "$state/s/$key")"; exit 1; }
done
# api shares core's folder for SQLite's sake: what core owns there it can neither remove nor replace.
as_api() { setpriv --reuid "$(stat -c %u "$state/s/api")" --regid "$(stat -c %g "$state/s/core")" --clear-groups "$@"; }
as_api touch "$state/s/core/of-api" || { echo "api cannot write beside the database"; exit 1; }
as_api rm "$state/s/core/of-api"
for own in control.db store; do
    if as_api mv "$state/s/core/$own" "$state/s/core/gone" 2>/dev/null; then echo "api took core's $own away"; exit 1; fi
done
if grep -rqF "$password" "$state/s" "$state/log"; then echo "the one-time password is on the disk or in the log"; exit 1; fi
if grep -qF "$(cat "$state/s/admin.token")" "$state/log"; then echo "the token is in the log"; exit 1; fi
if grep -E 'ended:|cannot' "$state/log"; then cat "$state/log"; exit 1; fi

kill -TERM "$server"
wait "$server" || { echo "it did not stop cleanly"; cat "$state/log"; exit 1; }
server=
! grep -E 'is killed|ended:' "$state/log"
