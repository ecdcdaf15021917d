#!/bin/sh
# Makes the secrets that are missing, each at random. Those that are there stay as they are; back them up.
#
# Containers run as users of their own, who must be able to read the files. So the files are open, and their folder is not.
set -eu
cd "$(dirname "$0")"
mkdir -p secrets
chmod 700 secrets
umask 022
random() { openssl rand -hex 24; }
make() { # file; its content comes in
  [ -s "secrets/$1" ] || cat > "secrets/$1"
}
random | make database-password
echo "postgresql://varsel:$(cat secrets/database-password)@database/varsel" | make database-url
[ -s secrets/redis.conf ] || { password=$(random)
  echo "requirepass $password" | make redis.conf
  echo "redis://:$password@redis:6379/0" > secrets/redis-url; }
echo "smtp://inbox:1025" | make smtp-url
openssl rand -base64 32 | make webhook-key
random | make grafana-password
