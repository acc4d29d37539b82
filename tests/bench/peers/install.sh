#!/bin/bash
# install.sh DIRECTORY: a Python environment with the peers that run.py compares with. Does nothing where
# it is complete. PyTorch brings gigabytes, so nothing else of the project's calls this.
set -euo pipefail
directory=${1:?usage: install.sh DIRECTORY}

[[ -x $directory/bin/python ]] || python3 -m venv "$directory"
"$directory/bin/python" -c 'import faiss, numpy, torch' 2>/dev/null ||
  "$directory/bin/pip" install -q numpy faiss-cpu torch
