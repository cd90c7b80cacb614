#!/usr/bin/env bash
# libholdfast as its users have it: installed into a prefix of its own. installed.sh BUILD_DIR
#
# Its symbols are the ones its header declares; the header stands alone in C11, C17 and C++17; a program built from the prefix by
# pkg-config reads a store, in C and in C++, also when the prefix was moved.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
build=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

die() {
	printf 'installed.sh: %s\n' "$*" >&2
	exit 1
}

same() { # what, expected file, found file
	diff -u "$2" "$3" || die "$1"
}

warnings=(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef -Werror)

cmake --install "$build" --prefix "$work/first" >"$work/log" || die "can't be installed: $(tail -n 3 "$work/log")"
mv "$work/first" "$work/prefix"
pc=$(find "$work/prefix" -name holdfast.pc)
[ -n "$pc" ] || die "holdfast.pc is not installed"
export PKG_CONFIG_PATH=${pc%/*}
read -ra cflags < <(pkg-config --cflags holdfast)
read -ra libs < <(pkg-config --libs holdfast)
LD_LIBRARY_PATH=$(pkg-config --variable=libdir holdfast)
export LD_LIBRARY_PATH
library=$LD_LIBRARY_PATH/libholdfast.so
header=$(find "$work/prefix" -name holdfast.h)

# Symbols: the ones declared, the ones shown. Version nodes (A) are none.
gcc -E -P "$header" | grep -oE '\bholdfast_[a-z0-9_]+\(' | tr -d '(' | sort -u >"$work/declared"
nm --dynamic --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort >"$work/shown"
[ -s "$work/declared" ] || die "the header declares nothing: is this test still looking right?"
same "the library does not show what its header declares" "$work/declared" "$work/shown"
readelf --dynamic "$library" | sed -nE 's/.*\(SONAME\).*\[(.*)\]/\1/p' >"$work/soname"
major=$(pkg-config --modversion holdfast | cut -d. -f1)
[ "$(cat "$work/soname")" = "libholdfast.so.$major" ] || die "its soname is $(cat "$work/soname")"

# The header alone.
printf '#include <holdfast.h>\nint nothing(void);\nint nothing(void) { return 0; }\n' >"$work/alone.c"
cp "$work/alone.c" "$work/alone.cc"
for standard in c11 c17; do
	gcc -std=$standard "${warnings[@]}" "${cflags[@]}" -c "$work/alone.c" -o "$work/alone.o"
done
g++ -std=c++17 "${warnings[@]}" "${cflags[@]}" -c "$work/alone.cc" -o "$work/alone.o"

# A program that reads a store.
"$build/holdfast" ingest --file events.ndjson --topic cards --until-end \
	--set schema=schema.json --set store.path="$work/store" 2>"$work/log" || die "ingest failed: $(tail -n 3 "$work/log")"
sed "s/OFFSET/$(stat -c %s events.ndjson)/" expected.txt >"$work/expected"
gcc -std=c11 "${warnings[@]}" "${cflags[@]}" reads.c -o "$work/reads" "${libs[@]}"
g++ -x c++ -std=c++17 "${warnings[@]}" "${cflags[@]}" reads.c -o "$work/reads++" "${libs[@]}"
for program in reads reads++; do
	"$work/$program" "$work/store" >"$work/found"
	same "$program printed something else" "$work/expected" "$work/found"
done
if "$work/reads" "$work/nowhere" 2>"$work/found"; then
	die "there is no store, and it was read"
fi
grep "^open: -7: .*$work/nowhere" "$work/found" >/dev/null || die "a missing store is told as: $(cat "$work/found")"
printf '%s symbols, header alone in 3 languages, programs in C and C++ read the store\n' "$(wc -l <"$work/shown")"
