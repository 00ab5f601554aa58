#!/bin/sh
# Loads the lists that the agent saved into the kernel, before the network is up and without the agent's runtime.
#
#   fleetban-boot.sh [DIRECTORY]        default /var/lib/fleetban/agent/boot
#
# `base` holds sets, entries and rules as of one moment and ends with its own SHA-256; damaged, its predecessor `base.1`
# is used. `recent` holds what changed since, a line each; a torn last line is left out. A set that exists is left alone.
# Timeouts are cut by the age of what is loaded. Nothing here fails the boot: it says what it did and exits 0.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
directory=${1:-/var/lib/fleetban/agent/boot}

say() {
  printf 'fleetban-boot: %s\n' "$*"
}

# The last line is "sum LINES SHA256" over all before it.
is_whole() {
  [ -s "$1" ] || return 1
  file=$1
  # shellcheck disable=SC2046 # two words are wanted
  set -- $(tail -n 1 "$file" | sed -n 's/^sum //p')
  [ $# -eq 2 ] || return 1
  [ "$(sed '$d' "$file" | wc -l)" -eq "$1" ] 2>/dev/null || return 1
  [ "$(sed '$d' "$file" | sha256sum | cut -d ' ' -f 1)" = "$2" ]
}

for program in ipset awk sed sha256sum; do
  command -v "$program" >/dev/null 2>&1 && continue
  say "$program is missing; nothing is loaded until the agent starts"
  exit 0
done

base=
for candidate in "$directory/base" "$directory/base.1"; do
  if is_whole "$candidate"; then
    base=$candidate
    break
  fi
  [ -e "$candidate" ] && say "$candidate is damaged"
done
if [ -z "$base" ]; then
  say "no readable base in $directory; nothing is loaded until the agent starts"
  exit 0
fi

id=$(sed -n '1s/^# fleetban-boot 1 \([^ ]*\) .*$/\1/p' "$base")
recent=/dev/null
for candidate in "$directory/recent" "$directory/recent.1" "$directory/recent.new"; do
  [ -n "$id" ] && [ -f "$candidate" ] && [ "$(sed -n 1p "$candidate")" = "# recent $id" ] || continue
  recent=$candidate
  break
done

present=" $(ipset list -n 2>/dev/null | tr '\n' ' ')"
umask 077
lines=/run/fleetban-boot.$$
trap 'rm -f "$lines"' EXIT

# Lines for ipset: only sets that this run makes, only what is a set, a prefix and numbers.
awk -v now="$(date +%s)" -v present="$present" '
  function left(seconds, since) {
    if (now > since) seconds -= now - since
    return seconds
  }
  function add(set, prefix, seconds, since) {
    if (!(set in made) || prefix !~ /^[0-9a-f.:]+(\/[0-9]+)?$/ || seconds !~ /^[0-9]+$/) return
    if (seconds == 0) { print "add", set, prefix, "timeout", 0; return }
    if (left(seconds, since) >= 1) print "add", set, prefix, "timeout", left(seconds, since)
    else print "del", set, prefix
  }
  NR == 1 { date = $5 + 0; next }
  FNR == 1 { isRecent = 1; next }
  !isRecent && $1 == "create" && $2 ~ /^fleetban-/ {
    if (index(present, " " $2 " ") == 0) { made[$2] = 1; print }
    next
  }
  !isRecent && $1 == "add" && $4 == "timeout" { add($2, $3, $5, date); next }
  isRecent && $1 == "add" && NF == 6 && $6 == "." && $5 ~ /^[0-9]+$/ { add($2, $3, $4, $5); next }
  isRecent && $1 == "del" && NF == 4 && $4 == "." && ($2 in made) && $3 ~ /^[0-9a-f.:]+(\/[0-9]+)?$/ { print "del", $2, $3 }
' "$base" "$recent" >"$lines"

made=$(grep -c '^create ' "$lines")
if [ "$made" -eq 0 ]; then
  say "the sets are there already; left alone"
elif said=$(ipset restore -exist <"$lines" 2>&1); then
  say "loaded $made sets and $(grep -c '^add ' "$lines") entries from $base"
else
  say "loaded $base in part: $said"
fi

for family in 4 6; do
  program=iptables
  [ "$family" = 6 ] && program=ip6tables
  if ! command -v "$program-restore" >/dev/null 2>&1; then
    say "$program-restore is missing; IPv$family has no rules until the agent starts"
  elif "$program" -w 5 -t mangle -C PREROUTING -j fleetban-in >/dev/null 2>&1; then
    say "the rules for IPv$family are there already; left alone"
  elif said=$(sed -n "s/^rule$family //p" "$base" | "$program-restore" -w 5 -n 2>&1); then
    say "made the rules for IPv$family"
  else
    say "no rules for IPv$family: $said"
  fi
done
exit 0
