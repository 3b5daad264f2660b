# Shared by the scripts: what they need on this machine, and the checkout's own Python environment.
# Everything is installed only when it is missing, so that the scripts can be run again and again.

say() { printf '\n==> %s\n' "$*"; }

fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

need_root() {
  [ "$(id -u)" = 0 ] || fail "$0 makes network namespaces and boots containers: run it as root (sudo $0)"
}

# need_packages NAME…: installs those Debian/Ubuntu packages that are missing.
need_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || fail "this needs Debian or Ubuntu; install by other means: ${missing[*]}"
  say "Installing on this machine: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq update
  apt-get -qq -y --no-install-recommends -o DPkg::Lock::Timeout=300 install "${missing[@]}" >/dev/null
}

# What `python -m lab` needs, and what builds the lab's Solr.
need_lab_packages() {
  need_packages ca-certificates default-jdk-headless iproute2 maven mmdebstrap nftables openssh-client systemd-container
}

# need_environment: .venv with exactly what requirements.txt locks; made anew when the lock or Python changed.
need_environment() {
  local python=python3 wanted
  if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    fail "Python 3.11 or newer is needed; $(python3 --version 2>&1 || echo none) was found"
  fi
  if ! python3 -c 'import ensurepip' 2>/dev/null; then need_packages python3-venv; fi
  wanted=$({ "$python" -VV; cat requirements.txt; } | sha256sum)
  [ "$(cat .venv/ckan-deploy.lock 2>/dev/null)" = "$wanted" ] && return 0
  say "Making .venv from requirements.txt"
  rm -rf .venv
  "$python" -m venv .venv
  .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements.txt
  printf '%s\n' "$wanted" > .venv/ckan-deploy.lock
}
