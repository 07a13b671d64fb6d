# Images under upstream's names. They are built again when what they are made of has changed.
# shellcheck shell=bash
# shellcheck disable=SC2153 # the versions come from manifests/versions.env

daemon() {
  docker info >/dev/null 2>&1 && return
  step "Docker daemon" "Needs root, and no other Docker daemon that is half running."
  mkdir -p "$LAB_HOME/docker"
  setsid nohup dockerd --data-root "$LAB_HOME/docker" --add-runtime "lab=$LAB/node/runc-lab" \
    --default-runtime lab >"$LOG" 2>&1 </dev/null &
  echo $! >"$LAB_HOME/dockerd.pid"
  until docker info >/dev/null 2>&1; do
    kill -0 "$(cat "$LAB_HOME/dockerd.pid")" # it ended: the log says why
    sleep 0.5
  done
}

stop_daemon() { # containers and the daemon's own processes end with it
  local pid
  [ -f "$LAB_HOME/dockerd.pid" ] || return 0
  pid=$(cat "$LAB_HOME/dockerd.pid")
  kill "$pid" 2>/dev/null || true
  for _ in $(seq 60); do kill -0 "$pid" 2>/dev/null || break; sleep 0.5; done
  rm -f "$LAB_HOME/dockerd.pid"
}

image_id() { docker image inspect --format '{{.Id}}' "$1" 2>/dev/null | grep . || echo none; }

# image NAME [FILE...] <DOCKERFILE: the files lie in the build's context. What it was made of is
# kept as a label: sizes and times of the files, the text, and the image it starts from.
image() {
  local name=$1 && shift
  local text made_of context
  text=$(cat)
  made_of=$({
    echo "$text"
    find "$@" -type f -printf '%f %s %T@\n' | sort
    image_id "$(sed -n 's/^FROM //p' <<<"$text")"
  } | sha256sum | cut -c1-16)
  [ "$(docker image inspect --format '{{index .Config.Labels "lab.made-of"}}' "$name" 2>/dev/null)" != "$made_of" ] || return 0
  step "image $name" "Debian's mirrors must be within reach of containers on Docker's default network."
  context=$(mktemp -d "$LAB_HOME/context.XXXX")
  (($# == 0)) || cp -rl "$@" "$context/" 2>/dev/null || cp -r "$@" "$context/"
  docker build --tag "$name" --label "lab.made-of=$made_of" --file - "$context" <<<"$text" >"$LOG" 2>&1
  rm -rf "$context"
}

program() { # IMAGE BINARY [BASE] [USER] [PATH]: an image that runs one binary
  image "$1" "$BIN/$2" <<D
FROM ${3:-lab/debian:bookworm}
COPY $2 ${5:-/usr/local/bin/$2}
WORKDIR ${5:+$(dirname "$5")}/
USER ${4:-65532}
ENTRYPOINT ["${5:-/usr/local/bin/$2}"]
D
}

debian_image() {
  [ "$(image_id lab/debian:bookworm)" = none ] || return 0
  step "image lab/debian:bookworm" "Debian's mirrors must be within reach."
  mmdebstrap --variant=minbase --include=ca-certificates --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook='copy-in /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs' bookworm - 2>"$LOG" |
    docker import - lab/debian:bookworm >/dev/null
}

base_images() { # everything that Debian's mirrors give; nothing here waits for a binary
  daemon
  debian_image
  local install='apt-get update -qq && apt-get install -y -qq --no-install-recommends'
  local tidy='rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin'
  image lab/network:bookworm <<D
FROM lab/debian:bookworm
RUN $install conntrack ipset iptables iproute2 kmod wget && $tidy
D
  image python:3.11-slim <<D
FROM lab/debian:bookworm
RUN $install libgomp1 python3 python3-pip python3-venv && $tidy \
 && rm -f /usr/lib/python3*/EXTERNALLY-MANAGED && ln -sf python3 /usr/bin/python
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt
CMD ["python3"]
D
  image lab/node-rootfs <<D
FROM lab/network:bookworm
RUN $install bash containerd containernetworking-plugins curl dbus ethtool jq libseccomp2 mount \
    nftables pigz procps runc socat systemd util-linux && $tidy
D
}

control_plane_images() { # by the names that kubeadm will ask for
  local name
  for name in $(kubeadm config images list --kubernetes-version "$KUBERNETES"); do
    case $name in
      */kube-proxy:*) program "$name" kube-proxy lab/network:bookworm 0 ;;
      */kube-*) program "$name" "$(basename "${name%:*}")" scratch 0 ;;
      */etcd:*) program "$name" etcd scratch 0 ;;
      */coredns:*) program "$name" coredns lab/debian:bookworm 0 ;; # it binds port 53
      */pause:*) program "$name" pause scratch 65535 && docker tag "$name" registry.k8s.io/pause:3.10 ;;
    esac
    echo "$name" >>"$LAB_HOME/cluster-images"
  done
  program lab/kube-router kube-router lab/network:bookworm 0
  program lab/local-volumes local-volumes lab/debian:bookworm 0
  printf '%s\n' registry.k8s.io/pause:3.10 lab/kube-router lab/local-volumes >>"$LAB_HOME/cluster-images"
}

service() { # IMAGE BINARY ...: a program that the cluster's node comes with
  program "$@"
  echo "$1" >>"$LAB_HOME/cluster-images"
}

service_images() {
  local operator=quay.io/prometheus-operator
  service "docker.io/envoyproxy/gateway:$ENVOY_GATEWAY" envoy-gateway
  service "docker.io/envoyproxy/envoy:$ENVOY" envoy
  service "$operator/prometheus-operator:$PROMETHEUS_OPERATOR" operator
  service "$operator/prometheus-config-reloader:$PROMETHEUS_OPERATOR" prometheus-config-reloader \
    lab/debian:bookworm 65534 /bin/prometheus-config-reloader
  service "quay.io/prometheus/prometheus:$PROMETHEUS" prometheus lab/debian:bookworm 65534 /bin/prometheus
  service "quay.io/prometheus/alertmanager:$ALERTMANAGER" alertmanager lab/debian:bookworm 65534 /bin/alertmanager
  service "registry.k8s.io/metrics-server/metrics-server:$METRICS_SERVER" metrics-server
  service "registry:$REGISTRY" registry
  service "ghcr.io/ferretdb/ferretdb:$FERRETDB" ferretdb
  service "ghcr.io/fluxcd/flagger:$FLAGGER" flagger lab/network:bookworm 65532 /home/flagger/flagger
}

images() {
  : >"$LAB_HOME/cluster-images"
  base_images
  control_plane_images
  service_images
  node_image
}

# The node holds the images of the control plane and of the services, so that a new cluster starts
# without loading any. containerd imports them in a container of the node's own image.
node_image() {
  local files base made_of
  files=$(module_folder services sigs.k8s.io/kind)/images/base/files
  image lab/node-base "$LAB/node" "$files" "$BIN"/{kubeadm,kubelet,kubectl} <"$LAB/node/Dockerfile"
  base=$(image_id lab/node-base)
  made_of=$({ echo "$base"; xargs docker image inspect --format "{{.Id}}" <"$LAB_HOME/cluster-images"; } | sha256sum | cut -c1-16)
  [ "$(docker image inspect --format '{{index .Config.Labels "lab.holds"}}' "kindest/node:$KUBERNETES" 2>/dev/null)" != "$made_of" ] || return 0
  step "image kindest/node:$KUBERNETES" "Containers must be allowed to be privileged."
  docker rm -f -v lab-node-build >/dev/null 2>&1 || true
  docker run -d --name lab-node-build --privileged --entrypoint sleep lab/node-base infinity >"$LOG"
  xargs docker save <"$LAB_HOME/cluster-images" | docker exec -i lab-node-build /kind/import-images >"$LOG" 2>&1
  docker commit --change "LABEL lab.holds=$made_of" \
    --change 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' \
    lab-node-build "kindest/node:$KUBERNETES" >/dev/null
  docker rm -f -v lab-node-build >/dev/null
}
