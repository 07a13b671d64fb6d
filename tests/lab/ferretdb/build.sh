#!/usr/bin/env bash
# Builds FerretDB, a server that speaks MongoDB's protocol over SQLite, into .tools/ferretdb.
# The Mongo tests run on it where no mongod is installed. Needs go; does nothing when it is there.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=$(cd "$here/../../.." && pwd)/.tools/ferretdb
version=v1.24.1

[ -x "$target" ] && exit 0
command -v go >/dev/null || { echo "build.sh: go is needed to build FerretDB" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/go.mod" "$here/go.sum" "$work"
cd "$work"
# The module lacks the version file that its embed directive asks for: vendor it and add the file.
export GOFLAGS="-p=2 ${GOFLAGS:-}" GONOSUMDB=github.com/FerretDB/FerretDB
go mod vendor 2>vendor.log || { cat vendor.log >&2; exit 1; }
echo "$version" >vendor/github.com/FerretDB/FerretDB/build/version/version.txt
go build -mod=vendor -trimpath -ldflags "-s -w" -o "$work/ferretdb" \
  github.com/FerretDB/FerretDB/cmd/ferretdb
mkdir -p "$(dirname "$target")"
mv "$work/ferretdb" "$target.new"
mv "$target.new" "$target" # whole or not at all
