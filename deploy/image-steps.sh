#!/usr/bin/env bash
# Runs the Dockerfile without a container engine: image_steps.py in a mount namespace of its own.
# What is mounted there ends with it, so that the folder below holds copies alone when it is removed.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$(realpath -s "${1:-.venv/bin/python}")
root=$(mktemp -d)
trap 'rm -rf --one-file-system "$root"' EXIT
unshare --mount --propagation private --pid --fork --kill-child "$python" deploy/image_steps.py "$root"
