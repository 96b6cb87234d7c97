#!/usr/bin/env bash
# Runs tests under a sanitizer of the compiler.
#
#   tools/sanitize.sh address|thread [CARGO TEST ARGUMENTS…]
#
# Without arguments: the library's tests and those integration tests whose threads or sockets are in this process. The
# toolchain is the stable one; RUSTC_BOOTSTRAP opens the flag. Where the standard library's source is installed (rustup
# component add rust-src) it is built with the sanitizer too. Where it is not, its own code is not watched: what happens
# between threads inside it is unknown to ThreadSanitizer, and tools/tsan.supp names the reports that come of that.
set -euo pipefail
cd "$(dirname "$0")/.."

sanitizer=${1:-}
case $sanitizer in
    address | thread) shift ;;
    *) echo 'usage: tools/sanitize.sh address|thread [CARGO TEST ARGUMENTS…]' >&2 && exit 2 ;;
esac
host=$(rustc -vV | sed -n 's/^host: //p')
flags=(--target "$host")
rustflags="-Zsanitizer=$sanitizer"
if [ -d "$(rustc --print sysroot)/lib/rustlib/src/rust/library" ]; then
    flags+=(-Zbuild-std)
else
    # The standard library was compiled without: the two are mixed knowingly.
    rustflags+=" -Cunsafe-allow-abi-mismatch=sanitizer"
fi
[ $# -gt 0 ] || set -- --lib --test wire --test exchange --test live -- --skip it_is_suspended
export RUSTC_BOOTSTRAP=1
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/sanitize-$sanitizer
# For the target alone: build scripts and macros run without.
export "CARGO_TARGET_$(tr 'a-z-' 'A-Z_' <<<"$host")_RUSTFLAGS=$rustflags"
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:detect_stack_use_after_return=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-suppressions=$PWD/tools/tsan.supp:halt_on_error=0:second_deadlock_stack=1}
exec cargo test "${flags[@]}" "$@"
