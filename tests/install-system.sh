#!/bin/sh
# Installs what the tests and benchmarks need beyond Python: Debian packages where apt may, else says what is missing.
set -eu
missing=""
need() { # program, package
  command -v "$1" >/dev/null 2>&1 || ls $3 >/dev/null 2>&1 || missing="$missing $2"
}
PATH="$PATH:/usr/sbin:/sbin"
need redis-server redis-server /nowhere
need initdb postgresql "/usr/lib/postgresql/*/bin/initdb"
need pgbouncer pgbouncer /nowhere
need postfix postfix /nowhere
need smtp-sink postfix /nowhere
need wrk wrk /nowhere
need promtool prometheus /nowhere
command -v chromium >/dev/null 2>&1 || need chromium-headless-shell chromium-headless-shell /nowhere
need no-program libfaketime "/usr/lib/*/faketime/libfaketimeMT.so.1"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "installing$missing ..."
  export DEBIAN_FRONTEND=noninteractive
  # Databases and mail servers of their own are what the tests start; no daemon shall start by itself.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  apt-get update -qq
  # shellcheck disable=SC2086
  apt-get install -qq -y --no-install-recommends $missing >/dev/null
  exit 0
fi
echo "The tests need these programs; install them with your package manager (Debian's names):$missing" >&2
exit 1
