# The cluster, and what the charts expect to find in it.
# shellcheck shell=bash
# shellcheck disable=SC2153 # the versions come from manifests/versions.env

# Nothing that a pod sends to an unknown address leaves this machine.
fence() {
  docker network inspect kind >/dev/null 2>&1 ||
    docker network create -d bridge -o com.docker.network.bridge.name=br-kind kind >/dev/null
  iptables -C DOCKER-USER -i br-kind ! -o br-kind -j REJECT 2>/dev/null && return
  iptables -I DOCKER-USER -i br-kind ! -o br-kind -j REJECT
  iptables -I DOCKER-USER -i br-kind ! -o br-kind -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
}

is_ready() { kubectl get --raw /readyz >/dev/null 2>&1; }

# A cluster that was stopped with its daemon is started, not made anew, unless its node is an old one
# or LAB_FRESH is set.
revived() {
  local node=$NAME-control-plane
  [ -z "${LAB_FRESH:-}" ] || return 1
  kind get clusters 2>/dev/null | grep -qx "$NAME" || return 1
  [ "$(docker inspect --format '{{.Image}}' "$node")" = "$(image_id "kindest/node:$KUBERNETES")" ] || return 1
  docker start "$node" >/dev/null || return 1
  kind export kubeconfig --name "$NAME" 2>/dev/null || return 1
  for _ in $(seq 60); do is_ready && return; sleep 1; done
  return 1
}

cluster() {
  daemon
  fence
  revived && return
  kind delete cluster --name "$NAME" 2>/dev/null || true
  step "kind create cluster" "Ports 8080 and 30500 of 127.0.0.1 must be free."
  kind create cluster --name "$NAME" --config "$ROOT/kind-config.yaml" \
    --image "kindest/node:$KUBERNETES" --wait 120s >"$LOG" 2>&1
}

delete_cluster() {
  docker info >/dev/null 2>&1 || return 0
  kind delete cluster --name "$NAME"
}

full_name() { # as the node calls what docker calls more shortly
  case $1 in
    *.*/* | *:*/* | localhost/*) echo "$1" ;;
    */*) echo "docker.io/$1" ;;
    *) echo "docker.io/library/$1" ;;
  esac
}

# Copies what the node does not have yet: as a file, since what is piped into a container is slow, and
# straight into the node's own file system, since these are gigabytes.
load() {
  local name root node=$NAME-control-plane file=/var/tmp/images.tar missing=()
  on_node() { docker exec "$node" "$@"; }
  for name; do
    on_node ctr -n k8s.io images ls "name==$(full_name "$name")" | grep -q "lab.id=$(image_id "$name")" ||
      missing+=("$name")
  done
  ((${#missing[@]})) || return 0
  step "load ${missing[*]}" "The images must be in the local Docker daemon: docker images."
  root=/proc/$(docker inspect --format '{{.State.Pid}}' "$node")/root
  docker save --output "$root$file" "${missing[@]}" >"$LOG" 2>&1
  on_node ctr -n k8s.io images import "$file" >>"$LOG" 2>&1
  on_node rm "$file"
  for name in "${missing[@]}"; do
    on_node ctr -n k8s.io images label "$(full_name "$name")" "lab.id=$(image_id "$name")" >>"$LOG"
  done
}

# The charts and definitions that upstream publishes lie in the modules that the lab builds from.
sources() { # prints a folder of the form that manifests/install --from takes
  local folder=$LAB_HOME/charts gateway
  rm -rf "$folder" && mkdir -p "$folder"
  gateway=$(module_folder services github.com/envoyproxy/gateway)/charts
  cp -r "$gateway/gateway-helm" "$gateway/gateway-crds-helm" "$folder"
  cp -r "$(module_folder kubernetes github.com/fluxcd/flagger)/charts/flagger" "$folder"
  cp -r "$(module_folder services sigs.k8s.io/metrics-server)/charts/metrics-server" "$folder"
  cp "$(module_folder services github.com/prometheus-operator/prometheus-operator)/bundle.yaml" "$folder"
  chmod -R u+w "$folder"
  # Upstream fills these in when it releases.
  sed -e "s#\${GatewayImage}#docker.io/envoyproxy/gateway:$ENVOY_GATEWAY#" \
    -e "s#\${GatewayImagePullPolicy}#IfNotPresent#" -e 's#\${[A-Za-z]*}##' \
    "$folder/gateway-helm/values.tmpl.yaml" >"$folder/gateway-helm/values.yaml"
  echo "$folder"
}

services() {
  step "cluster services" "kubectl get pods -A tells what does not start."
  "$ROOT/manifests/install" --from "$(sources)" >"$LOG" 2>&1
}
