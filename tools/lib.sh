# Shared by the scripts in this folder; source it, do not run it.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${FETTLER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fettler}
mkdir -p "$cache"
cd "$root"

say() { printf '\n\033[1m%s\033[0m\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# A step of the test run, with the time it took.
step() {
  local name=$1 start=$SECONDS
  shift
  say "== $name"
  "$@" || die "$name failed"
  printf '   %s: %d s\n' "$name" $((SECONDS - start)) >&2
}
