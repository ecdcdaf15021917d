#!/bin/sh
# Names the other Pythons of this machine on which Varsel is to run, each in an environment with what Varsel needs.
set -eu
cd "$(dirname "$0")/.."
own=$(.venv/bin/python -c "import sys; print('%d.%d' % sys.version_info[:2])")
for version in 3.11 3.12 3.13; do
  [ "$version" = "$own" ] && continue
  for python in "python$version" "$HOME/.pyenv/versions/$version".*/bin/python "$(uv python find "$version" 2>/dev/null)"; do
    is="import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$version')"
    "$python" -c "$is" >/dev/null 2>&1 || continue
    folder=".venv/pythons/$version"
    if [ ! -e "$folder/.ready" ]; then
      echo "preparing Python $version (a minute, once) ..." >&2
      "$python" -m venv "$folder"
      "$folder/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r requirements.lock >&2
      touch "$folder/.ready"
    fi
    echo "$PWD/$folder/bin/python"
    continue 2
  done
  echo "there is no Python $version" >&2
done
