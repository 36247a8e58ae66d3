#!/usr/bin/env bash
# Writes the hashed requirement files again from pyproject.toml (needs uv). They name no download address.
set -euo pipefail
cd "$(dirname "$0")/.."
lock() {
  local out=$1
  shift
  uv pip compile --universal --python-version 3.10 --generate-hashes --no-annotate --no-header --quiet "$@" --output-file "requirements/$out"
}
lock pip.txt --group pip
lock host.txt --group host --group dev
lock test.txt --group test
lock docs.txt --group docs
lock litert.txt --group device-litert
lock tflite.txt --group device-tflite
lock sign.txt --group device-sign
# One Python only: these programs pin NumPy 1 and tflite-runtime.
printf "mediapipe==0.10.21\nteachable-machine-lite==1.2.0.2\n" |
  uv pip compile --python-version 3.11 --generate-hashes --no-annotate --no-header --quiet - --output-file requirements/peers.txt
