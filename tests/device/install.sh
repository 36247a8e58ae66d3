#!/bin/sh
# Installs this bundle on the device it was made for, without internet: install.sh [FOLDER], default /opt/edge-runtime.
# Each release is a folder of its own below releases/, `current` points to the one in use; run again, it changes nothing.
set -eu
here=$(dirname "$(readlink -f "$0")")
base=${1:-/opt/edge-runtime}
release=$(sed -n 's/.*"release": "\([0-9a-f]*\)".*/\1/p' "$here/bundle.json")
python=$(sed -n 's/.*"python": "\([0-9.]*\)".*/\1/p' "$here/bundle.json")
machine=$(sed -n 's/.*"machine": "\([0-9a-z_]*\)".*/\1/p' "$here/bundle.json")
found=$(python3 -c 'import platform, sys; print("%d.%d" % sys.version_info[:2], platform.machine())')
case "$found" in
  "$python $machine" | "$python armv8l" | "$python aarch64") ;;
  *) echo "This bundle is for Python $python on $machine, here is Python and processor $found: make another bundle." >&2; exit 1 ;;
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
mv -T "$base/current.new" "$base/current"
if [ -e "$here/trusted.pub" ]; then "$base/current/bin/edge-runtime" trust "$here/trusted.pub"; fi
if [ -e "$here/model.tflite" ]; then "$base/current/bin/edge-runtime" install "$here/model.tflite"; fi
"$base/current/bin/edge-runtime" doctor
