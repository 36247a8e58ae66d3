#!/bin/sh
# Installs this bundle on the device it was made for, without internet: install.sh [FOLDER], default /opt/edge-runtime.
# Each release is a folder of its own below releases/, `current` points to the one in use; run again, it changes nothing.
set -eu
here=$(dirname "$(readlink -f "$0")")
base=${1:-/opt/edge-runtime}
release=$(sed -n 's/.*"release": "\([0-9a-f]*\)".*/\1/p' "$here/bundle.json")
python=$(sed -n 's/.*"python": "\([0-9.]*\)".*/\1/p' "$here/bundle.json")
machine=$(sed -n 's/.*"machine": "\([0-9a-z_]*\)".*/\1/p' "$here/bundle.json")
found=$(python3 -c 'import platform, struct, sys
print("%d.%d" % sys.version_info[:2], platform.machine(), struct.calcsize("P") * 8)')
if [ "$machine" = armv7l ]; then bits=32; else bits=64; fi
case "$machine $found" in
  *" $python $machine $bits") ;;
  # A 32-bit system on a 64-bit kernel calls its processor so.
  "armv7l $python armv8l 32" | "armv7l $python aarch64 32") ;;
  *)
    echo "This bundle is for Python $python on $machine with $bits bits, here are Python, processor and bits $found: make another bundle." >&2
    exit 1
    ;;
esac
target="$base/releases/$release"
if [ ! -e "$target/.ready" ]; then
  rm -rf "$target"
  mkdir -p "$base/releases"
  # Debian's NumPy and OpenCV are seen where the bundle brings none (32-bit ARM).
  python3 -m venv --without-pip --system-site-packages "$target"
  "$target/bin/python" "$(echo "$here"/wheels/pip-*.whl)/pip" install --quiet --no-index --find-links "$here/wheels" \
    --ignore-installed --no-deps --require-hashes --no-warn-script-location --root-user-action=ignore -r "$here/requirements.txt"
  touch "$target/.ready"
fi
if [ "${EDGE_RUNTIME_ONLY_UNPACK:-}" ]; then exit 0; fi
ln -sfn "releases/$release" "$base/current.new"
before=$(basename "$(readlink "$base/current" || echo none)")
mv -T "$base/current.new" "$base/current"
# The last three stay, and always this one and the one before it.
ls -1t "$base/releases" | tail -n +4 | while read -r old; do
  case "$old" in "$release" | "$before") ;; *) rm -r "$base/releases/$old" ;; esac
done
if [ -e "$here/trusted.pub" ]; then "$base/current/bin/edge-runtime" trust "$here/trusted.pub"; fi
if [ -e "$here/model.tflite" ]; then "$base/current/bin/edge-runtime" install "$here/model.tflite"; fi
"$base/current/bin/edge-runtime" doctor
