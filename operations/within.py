"""Shell functions with which root changes what is in folders that other accounts can write.

Whoever can write to a folder can put a link there between any two steps of ours. So root goes to the folder first
(``enter``), by a way on which no link is followed that anybody else could have laid, and names things from there
without a slash: its working folder remains the same one, whatever is renamed meanwhile. ``chown`` and ``chmod`` follow
links: they are given ``.``, or what is in a folder of root's alone (``stage``).
"""

from __future__ import annotations

# roots: whether nobody but root can put anything into the working folder.
# into NAME: go to a folder in this one, never through a link: then its parent would be another one.
# enter FOLDER [make]: go there by its absolute path; with a second word, missing folders are made. A link that stands
# in a folder of root's alone is root's own, and followed.
# stage NAME: go to a new, empty folder in this one that is root's alone. The working folder of before is "..", always.
ENTER = r"""
roots() { case $(stat -c '%u %A' .) in "0 d????-??-?"*) ;; *) return 1;; esac; }
into() {
  local from here; from=${PWD%/} here=$(stat -c %d:%i .)
  cd -P "./$1" || { echo "there is no folder $from/$1" >&2; exit 1; }
  if [ "$(stat -c %d:%i ..)" != "$here" ]; then
    echo "$from/$1 became a link a moment ago, which root does not follow; see who laid it, and run again" >&2; exit 1
  fi
}
enter() {
  local rest part links; rest=$1; links=0; cd /
  while [ -n "$rest" ]; do
    part=${rest%%/*}
    case $rest in */*) rest=${rest#*/};; *) rest=;; esac
    case $part in ''|.) continue;; ..) cd -P ..; continue;; esac
    if [ -L "./$part" ]; then
      links=$((links + 1))
      if ! roots || [ "$links" -gt 40 ]; then
        echo "${PWD%/}/$part is a link which root does not follow: $(stat -c %U .) can change it, and $(
          )$(stat -c %U "./$part") laid it; remove it, or put it where only root can write, and run again" >&2; exit 1
      fi
      rest=$(readlink "./$part")/$rest
      case $rest in /*) cd /;; esac
      continue
    fi
    [ -z "${2-}" ] || [ -e "./$part" ] || (umask 022; mkdir "./$part")
    into "$part"
  done
}
stage() { rm -rf "./$1"; mkdir -m 0700 "./$1"; into "$1"; }
"""
