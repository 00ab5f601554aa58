#!/bin/sh
# Loads the lists that the agent saved into the kernel, before the network is up and without the agent's runtime.
#
#   fleetban-boot.sh [DIRECTORY]        default /var/lib/fleetban/agent/boot
#   fleetban-boot.sh DIRECTORY sets     only what rules that others saved may name: sets of ipset, and no rule
#   fleetban-boot.sh DIRECTORY sets ROOT  the same, with the saved rules of another root
#
# `base` holds sets, entries and rules as of one moment, for ipset and iptables or for nft, and ends with its own SHA-256;
# damaged, its predecessor `base.1` is used. `recent` holds what changed since, a line each; a torn last line is left out. A
# set that exists is left alone. Timeouts are cut by the age of what is loaded. Nothing here fails the boot: it says what it
# did and exits 0.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
directory=${1:-/var/lib/fleetban/agent/boot}
only=${2:-}
root=${3:-}
# Where Debian, RHEL, Arch, Alpine and older guides keep rules for the next boot.
saved='/etc/iptables/rules.v4 /etc/iptables/rules.v6 /etc/sysconfig/iptables /etc/sysconfig/ip6tables
  /etc/iptables/iptables.rules /etc/iptables/ip6tables.rules /etc/iptables/rules-save /etc/iptables/rules6-save
  /etc/iptables.rules /etc/iptables.up.rules'

say() {
  printf 'fleetban-boot: %s\n' "$*"
}

has() {
  command -v "$1" >/dev/null 2>&1
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

need() {
  for program in "$@"; do
    has "$program" && continue
    say "$program is missing; nothing is loaded until the agent starts"
    exit 0
  done
}

# Rules that somebody saved with ours among them load whole or not at all: a set that they name has to be there, and be it
# empty. The agent takes it over.
make_named_sets() {
  has ipset || return
  present=" $(ipset list -n 2>/dev/null | tr '\n' ' ')"
  for path in $saved; do
    [ -f "$root$path" ] || continue
    empty=
    for set in $(sed '/^#/d' "$root$path" | grep -o -e '--match-set fleetban-[a-z0-9-]*' | cut -d ' ' -f 2 | sort -u); do
      case $present in *" $set "*) continue ;; esac
      family=inet
      case $set in *-v6*) family=inet6 ;; esac
      ipset create "$set" hash:net family "$family" timeout 0 counters 2>/dev/null || continue
      present="$present$set "
      empty="$empty $set"
    done
    [ -z "$empty" ] || say "made empty, because $root$path names them:$empty; nobody is dropped by them until the agent starts"
  done
}

finish() {
  [ "$only" = sets ] && make_named_sets
  exit 0
}

need awk sed sha256sum

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
  finish
fi

id=$(sed -n '1s/^# fleetban-boot 1 \([^ ]*\) .*$/\1/p' "$base")
recent=/dev/null
for candidate in "$directory/recent" "$directory/recent.1" "$directory/recent.new"; do
  [ -n "$id" ] && [ -f "$candidate" ] && [ "$(sed -n 1p "$candidate")" = "# recent $id" ] || continue
  recent=$candidate
  break
done

umask 077
work=/run/fleetban-boot.$$
mkdir "$work" || exit 0
trap 'rm -rf "$work"' EXIT

# What is in force of a saved entry, for both: only sets that this run makes, only what is a set, a prefix and numbers.
common='
  function left(seconds, since) {
    if (now > since) seconds -= now - since
    return seconds
  }
  function is_entry(set, prefix, seconds) {
    return (set in made) && prefix ~ /^[0-9a-f.:]+(\/[0-9]+)?$/ && seconds ~ /^[0-9]+$/
  }
  function is_new(set) {
    return set ~ /^fleetban-[a-z0-9-]+$/ && index(present, " " set " ") == 0
  }
'

# Lines for ipset, in their order: what came later stands later.
ipset_lines='
  function add(set, prefix, seconds, since) {
    if (!is_entry(set, prefix, seconds)) return
    if (seconds == 0) { print "add", set, prefix, "timeout", 0; return }
    if (left(seconds, since) >= 1) print "add", set, prefix, "timeout", left(seconds, since)
    else print "del", set, prefix
  }
  NR == 1 { date = $5 + 0; next }
  FNR == 1 { isRecent = 1; next }
  !isRecent && $1 == "create" { if (is_new($2)) { made[$2] = 1; print }; next }
  !isRecent && $1 == "add" && $4 == "timeout" { add($2, $3, $5, date); next }
  isRecent && $1 == "add" && NF == 6 && $6 == "." && $5 ~ /^[0-9]+$/ { add($2, $3, $4, $5); next }
  isRecent && $1 == "del" && NF == 4 && $4 == "." && is_entry($2, $3, 0) { print "del", $2, $3 }
'

# Lines for nft: a file is done as a whole or not at all, so each entry stands there once, as it was last; and it takes half
# a kilobyte of memory an entry, so that they go into files of some thousands. A prefix length has a set of its own.
nft_lines='
  function flush_elements() {
    if (count > 0) print "add element " place " {" elements " }" > file
    elements = ""
    count = 0
  }
  function next_file() {
    flush_elements()
    if (file != "") close(file)
    file = sprintf("%s/part.%06d", work, ++files)
    inFile = 0
  }
  function mask(isV6, bits,   at, part, text) {
    for (at = 0; at < (isV6 ? 8 : 4); at++) {
      part = bits > (isV6 ? 16 : 8) ? (isV6 ? 16 : 8) : bits
      bits -= part
      text = text (at ? (isV6 ? ":" : ".") : "") sprintf(isV6 ? "%x" : "%d", 2 ^ (isV6 ? 16 : 8) - 2 ^ ((isV6 ? 16 : 8) - part))
    }
    return text
  }
  function open_length(set, bits,   isV6, family) {
    isV6 = set ~ /-v6$/
    family = isV6 ? "ip6" : "ip"
    flush_elements()
    print "add set " family " fleetban " set "/" bits " { type " (isV6 ? "ipv6_addr" : "ipv4_addr") "; flags timeout; counter; }" > file
    print "add rule " family " fleetban " set " " family " saddr & " mask(isV6, bits) " @" set "/" bits " goto " set "/listed" > file
    print "add rule " family " fleetban " set "/to " family " daddr & " mask(isV6, bits) " @" set "/" bits " goto " set "/cut" > file
    opened[set "/" bits] = 1
  }
  function add(set, prefix, seconds, since,   parts, target, where) {
    if (!is_entry(set, prefix, seconds)) return
    if (seconds > 0 && left(seconds, since) < 1) return
    target = set
    if (split(prefix, parts, "/") == 2) {
      if (parts[2] < 1 || parts[2] > (set ~ /-v6$/ ? 127 : 31)) return
      target = set "/" parts[2]
      if (!(target in opened)) open_length(set, parts[2])
    }
    where = (set ~ /-v6$/ ? "ip6" : "ip") " fleetban " target
    if (where != place || count >= 500) flush_elements()
    place = where
    elements = elements (count++ ? ", " : " ") parts[1] (seconds > 0 ? " timeout " left(seconds, since) "s" : "")
    entries++
    if (++inFile >= 5000) next_file()
  }
  BEGIN { next_file() }
  FNR == 1 { fileNo++ }
  fileNo == 1 && $1 == "add" && NF == 6 && $6 == "." && $5 ~ /^[0-9]+$/ { last[$2 " " $3] = $4 " " $5; next }
  fileNo == 1 && $1 == "del" && NF == 4 && $4 == "." { last[$2 " " $3] = "gone"; next }
  fileNo == 1 { next }
  FNR == 1 { date = $5 + 0; next }
  $1 == "create" {
    if (!is_new($2)) next
    made[$2] = 1
    sets++
    text = $0
    sub(/^create [^ ]+ /, "", text)
    gsub(/; add /, "\nadd ", text)
    print text > file
    next
  }
  $1 == "add" && $4 == "timeout" && !(($2 " " $3) in last) { add($2, $3, $5, date) }
  END {
    for (key in last) {
      if (last[key] == "gone") continue
      split(key, name, " ")
      split(last[key], times, " ")
      add(name[1], name[2], times[1], times[2])
    }
    flush_elements()
    print sets + 0, entries + 0
  }
'

load_ipset() {
  need ipset
  present=" $(ipset list -n 2>/dev/null | tr '\n' ' ')"
  awk -v now="$(date +%s)" -v present="$present" "$common$ipset_lines" "$base" "$recent" >"$work/lines"
  made=$(grep -c '^create ' "$work/lines")
  if [ "$made" -eq 0 ]; then
    say "the sets are there already; left alone"
  elif said=$(ipset restore -exist <"$work/lines" 2>&1); then
    say "loaded $made sets and $(grep -c '^add ' "$work/lines") entries from $base"
  else
    say "loaded $base in part: $said"
  fi
  [ "$only" = sets ] && return
  for family in 4 6; do
    program=iptables
    [ "$family" = 6 ] && program=ip6tables
    rules "$family" "$program-restore" "has_jump $program" "$program-restore -w 5 -n"
  done
}

# Behind conntrack or before it, as the agent's hook was.
has_jump() {
  "$1" -w 5 -t mangle -C PREROUTING -j fleetban-in || "$1" -w 5 -t raw -C PREROUTING -j fleetban-in
}

load_nftables() {
  [ "$only" = sets ] && return # a table of one's own: no rule of others names its sets
  need nft
  present=" $(nft list sets 2>/dev/null | sed -n 's/^[[:space:]]*set \([^ ]*\) {$/\1/p' | tr '\n' ' ')"
  # An empty recent has no first line: one of its own keeps the files apart.
  { printf '#\n' && cat "$recent"; } >"$work/recent"
  counts=$(awk -v now="$(date +%s)" -v present="$present" -v work="$work" "$common$nft_lines" "$work/recent" "$base")
  failed=
  for part in "$work"/part.*; do
    [ -s "$part" ] || continue
    said=$(nft -f "$part" 2>&1) || failed="$failed $said"
  done
  if [ "${counts% *}" = 0 ]; then
    say "the sets are there already; left alone"
  elif [ -z "$failed" ]; then
    say "loaded ${counts% *} sets and ${counts#* } entries from $base"
  else
    say "loaded $base in part:$(printf '%s' "$failed" | head -n 5)"
  fi
  rules 4 nft "nft list chain ip fleetban fleetban-in" "nft -f -"
  rules 6 nft "nft list chain ip6 fleetban fleetban-in" "nft -f -"
}

# FAMILY PROGRAM LOOK MAKE: the last two are whole commands.
rules() {
  if ! has "$2"; then
    say "$2 is missing; IPv$1 has no rules until the agent starts"
  elif $3 >/dev/null 2>&1; then
    say "the rules for IPv$1 are there already; left alone"
  elif said=$(sed -n "s/^rule$1 //p" "$base" | $4 2>&1); then
    say "made the rules for IPv$1"
  else
    say "no rules for IPv$1: $said"
  fi
}

case $(sed -n '1s/^# fleetban-boot 1 [^ ]* [^ ]*//p' "$base") in
'' | ' ipset') load_ipset ;;
' nftables') load_nftables ;;
*) say "$base is of a backend that this script doesn't know; nothing is loaded until the agent starts" ;;
esac
finish
