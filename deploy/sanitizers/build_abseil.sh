#!/bin/bash
# build_abseil.sh PREFIX: builds the installed version of abseil from Debian's source package with
# ThreadSanitizer in its mutexes and installs it under PREFIX. Does nothing where that is done.
#
# absl::Mutex is a futex of abseil's own: ThreadSanitizer sees its happens-before edges only if
# abseil itself is instrumented. The libraries keep Debian's sonames and ABI, so that gRPC, whose
# locks are absl::Mutex too, loads these instead of the system's. The rest of abseil is as little
# instrumented as gRPC is, which passes statuses and cords from thread to thread by atomics that
# ThreadSanitizer cannot see.
set -euo pipefail

prefix=$(realpath -m "${1:?usage: build_abseil.sh PREFIX}")
version=$(dpkg-query -W -f='${Version}' libabsl-dev)
stamp="$version $(sha256sum <"$0")"
[[ "$(cat "$prefix/stamp" 2>/dev/null || true)" != "$stamp" ]] || exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists,cache/archives}/partial
mkdir "$work/sources"

# The system's own sources, asked for source packages; lists of our own, so that no root is needed.
for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
  [[ -e $list ]] && sed -n 's/^deb /deb-src /p' "$list" >>"$work/sources/source.list"
done
for sources in /etc/apt/sources.list.d/*.sources; do
  [[ -e $sources ]] && sed 's/^Types:.*/Types: deb-src/' "$sources" \
    >"$work/sources/$(basename "$sources")"
done
apt_options=(-q -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$work/sources"
  -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" -o "APT::Sandbox::User=$(id -un)")
cd "$work"
apt-get "${apt_options[@]}" update
apt-get "${apt_options[@]}" source "abseil=$version"

sed -i '1i add_compile_options(-fsanitize=thread)\nadd_link_options(-fsanitize=thread)' \
  abseil-*/absl/synchronization/CMakeLists.txt
# C++17 because Debian's build is.
cmake -S abseil-*/ -B build -G Ninja \
  -DCMAKE_BUILD_TYPE=RelWithDebInfo -DBUILD_SHARED_LIBS=ON -DCMAKE_CXX_STANDARD=17 \
  -DABSL_PROPAGATE_CXX_STD=ON -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib \
  -DCMAKE_CXX_COMPILER_LAUNCHER=ccache \
  -DCMAKE_CXX_FLAGS="-fno-omit-frame-pointer -ffile-prefix-map=$work=."
rm -rf "$prefix"
cmake --build build --target install --parallel "$(nproc)"
echo "$stamp" >"$prefix/stamp"
