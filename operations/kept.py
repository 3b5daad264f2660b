"""What is not ours is copied before it is replaced or removed.

Ours is what we wrote last, told by a checksum that the host keeps; where there is none (a host of an earlier
ckan-deploy), what has our header. What a package brought and nobody changed needs no copy.
"""

from __future__ import annotations

FOLDER = "/var/backups/ckan-deploy"
WRITTEN = "/var/lib/ckan-deploy/written"

# keep PATH: copy a file or link that is not ours to a folder of today's date, which only root can enter.
# written PATH FILE: note that what FILE holds, or where that link leads, is what we are going to have at PATH.
# Notes are made before the rename: a file without one would seem to be somebody else's. forgotten PATH: it goes.
# The header is looked for in the first bytes only: somebody's file may well name us further down.
KEEP = rf"""
note_of() {{ printf '%s/%s' {WRITTEN} "$(printf %s "$1" | sed 's/%/%25/g; s,/,%2F,g')"; }}
content() {{ if [ -L "$1" ]; then printf -- '-> %s\n' "$(readlink "$1")"; else sha256sum < "$1" | cut -c1-64; fi; }}
pristine() {{
  sum=$(md5sum < "$1" | cut -c1-32)
  {{ dpkg-query -W -f '${{Conffiles}}\n' | cut -d' ' -f2,3 | grep -qxF "$1 $sum"; }} 2>/dev/null ||
    grep -qsxF "$sum  $1" /var/lib/ucf/hashfile ||
    grep -qshxF "$sum  ${{1#/}}" /var/lib/dpkg/info/*.md5sums
}}
keep() {{
  if [ ! -L "$1" ] && [ ! -f "$1" ]; then return 0; fi
  if [ -f "$(note_of "$1")" ]; then
    [ "$(cat "$(note_of "$1")")" != "$(content "$1")" ] || return 0
  elif [ ! -L "$1" ]; then
    if head -c 500 "$1" | grep -qa 'Written by ckan-deploy' || pristine "$1"; then return 0; fi
  fi
  copy={FOLDER}/$(date -u +%Y-%m-%d)$1
  if [ ! -L "$1" ] && cmp -s "$1" "$copy"; then return 0; fi
  (umask 077; mkdir -p "$(dirname "$copy")")
  rm -f "$copy.part"
  cp -a -- "$1" "$copy.part" || {{
    rm -f "$copy.part"; echo "$1 is not ours, and could not be copied to $copy: it stays" >&2; exit 1; }}
  mv -T --backup=numbered "$copy.part" "$copy"
}}
written() {{
  note=$(note_of "$1"); (umask 077; mkdir -p {WRITTEN}; content "$2" > "$note.new"; mv -fT "$note.new" "$note")
}}
forgotten() {{ rm -f "$(note_of "$1")"; }}
"""
KEEP_ONE = KEEP + 'set -e; keep "$1"; forgotten "$1"'
