#!/usr/bin/env bash
# install_test.sh BUILD_DIRECTORY: what is installed runs from there, with libraries that were
# installed beside it, but for those of the C library.
set -euo pipefail
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
cmake --install "$1" --prefix "$prefix" > "$prefix/log" || {
  cat "$prefix/log"
  exit 1
}
for program in winnowd winnowctl; do
  env -i "$prefix/bin/$program" --help > /dev/null
  elsewhere=$(LD_TRACE_LOADED_OBJECTS=1 "$prefix/bin/$program" |
    grep -v -E "$prefix/|linux-vdso|ld-linux|/lib(c|m|dl|rt|pthread|resolv)\.so" || true)
  if [[ -n $elsewhere ]]; then
    echo "$program takes libraries from elsewhere:"
    echo "$elsewhere"
    exit 1
  fi
done
