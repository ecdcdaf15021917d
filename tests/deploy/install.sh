#!/bin/sh
# Installs what `make test-deploy` needs, on Debian and as root; names of PyPI's packages go into the folder that is named.
set -eu
[ "$(id -u)" = 0 ] || { echo "make test-deploy needs root: it makes base images, networks and containers" >&2; exit 1; }
need="podman buildah runc catatonit netavark aardvark-dns mmdebstrap iptables systemd nginx-light kubernetes-client openssl"
missing=""
for each in $need; do
  dpkg-query --show --showformat='${Status}' "$each" 2>/dev/null | grep -q "install ok" || missing="$missing $each"
done
if command -v kubectl >/dev/null 2>&1; then missing=$(echo "$missing" | sed 's/ kubernetes-client//'); fi
if [ -n "$missing" ]; then
  echo "installing$missing ..."
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # shellcheck disable=SC2086
  apt-get install -qq -y --no-install-recommends $missing >/dev/null
fi
[ -x "$1/bin/podman-compose" ] || { python3 -m venv "$1" && "$1/bin/pip" install --quiet podman-compose kubernetes-validate; }
