# Shared by the scripts of tools/ and tests/: language, words, the package list. Source it.
# shellcheck shell=bash
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

case "${HINOMI_LANG:-${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}}" in
ja*) lang=ja ;;
*) lang=en ;;
esac

# say EN JA: one line in the person's language
say() { if [ "$lang" = ja ]; then printf '%s\n' "$2"; else printf '%s\n' "$1"; fi; }
step() { printf '\n'; if [ "$lang" = ja ]; then printf '▶ %s\n' "$2"; else printf '▶ %s\n' "$1"; fi; }
die() { say "hinomi: $1" "hinomi: $2" >&2; exit 1; }

# packages GROUP…: names from packaging/packages.txt, without those whose command is already here
packages() {
    local group name _
    while read -r group name _; do
        case " $* " in *" $group "*) ;; *) continue ;; esac
        case $name in
        npm | nodejs) command -v npm >/dev/null && command -v node >/dev/null && continue ;;
        bpftool) [ -x /usr/sbin/bpftool ] && continue
            apt-cache show bpftool >/dev/null 2>&1 || name=linux-tools-common ;;
        libclang-rt-14-dev) apt-cache show "$name" >/dev/null 2>&1 || name=libclang-rt-18-dev ;;
        esac
        printf '%s\n' "$name"
    done <"$top/packaging/packages.txt"
}

# missing GROUP…: those of them that are not installed
missing() {
    packages "$@" | while read -r p; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || printf '%s\n' "$p"
    done
}
