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

# fresh NAME MADE-OF: whether an image is there that was made of just that; it is kept as a label.
fresh() { [ "$(docker image inspect --format '{{index .Config.Labels "lab.made-of"}}' "$1" 2>/dev/null)" = "$2" ]; }

# made_of TEXT IMAGE [FILE...]: changes with a recipe, the image it starts from, and its files: what is
# small is read, of programs size and time tell, since they are gigabytes.
made_of() {
  {
    echo "$1"
    image_id "$2"
    (($# < 3)) || {
      find "${@:3}" -type f -size +1M -printf '%f %s %T@\n' | sort
      find "${@:3}" -type f -not -size +1M -exec sha256sum {} + | cut -d' ' -f1 | sort
    }
  } | sha256sum | cut -c1-16
}

image() { # NAME [FILE...] <DOCKERFILE: the files lie in the build's context
  local name=$1 && shift
  local text key context
  text=$(cat)
  key=$(made_of "$text" "$(sed -n 's/^FROM //p' <<<"$text")" "$@")
  fresh "$name" "$key" && return
  step "image $name" "Containers on Docker's default network must reach Debian's mirrors."
  context=$(mktemp -d "$LAB_HOME/context.XXXX")
  (($# == 0)) || cp -r "$@" "$context/"
  docker build --tag "$name" --label "lab.made-of=$key" --file - "$context" <<<"$text" >"$LOG" 2>&1
  rm -rf "$context"
}

program() { # IMAGE BINARY [USER] [PATH]: an image of one static binary and nothing else
  local name=$1 binary=$2 user=${3:-65532} path=${4:-/usr/local/bin/$2}
  local key entrypoint="ENTRYPOINT [\"$path\"]"
  key=$(made_of "$entrypoint $user" scratch "$BIN/$binary")
  fresh "$name" "$key" && return
  step "image $name" "The Docker daemon must have room in $LAB_HOME."
  tar --create --directory "$BIN" --transform "s,.*,${path#/}," "$binary" |
    docker import --change "$entrypoint" --change "USER $user" --change "LABEL lab.made-of=$key" - "$name" >"$LOG"
}

program_on() { # BASE IMAGE BINARY [USER] [PATH]: a binary that needs other programs or libraries
  local path=${5:-/usr/local/bin/$3}
  image "$2" "$BIN/$3" <<D
FROM $1
COPY $3 $path
WORKDIR $(dirname "$path")
USER ${4:-65532}
ENTRYPOINT ["$path"]
D
}

debian_image() {
  [ "$(image_id lab/debian:bookworm)" = none ] || return 0
  step "image lab/debian:bookworm" "Debian's mirrors must be within reach."
  # usr-is-merged stands for a tool that brings all of Perl.
  mmdebstrap --variant=minbase --include=ca-certificates,usr-is-merged \
    --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook='copy-in /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs' bookworm - 2>"$LOG" |
    docker import - lab/debian:bookworm >/dev/null
}

base_images() { # everything that Debian's mirrors give; nothing here waits for a binary
  daemon
  debian_image
  local install='apt-get update -qq && apt-get install -y -qq --no-install-recommends'
  local tidy='rm -rf /var/lib/apt/lists/*_* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb' # nothing that the layer below holds
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

# kept IMAGE: prints the name, and notes that the node comes with it.
kept() { echo "$1" | tee -a "$LAB_HOME/cluster-images"; }

control_plane_images() { # by the names that kubeadm will ask for
  local name
  for name in $(kubeadm config images list --kubernetes-version "$KUBERNETES"); do
    case $(kept "$name") in
      */kube-proxy:*) program_on lab/network:bookworm "$name" kube-proxy 0 ;;
      */kube-*) program "$name" "$(basename "${name%:*}")" 0 ;;
      */coredns:*) program "$name" coredns 0 ;; # it binds port 53
      */etcd:*) program "$name" etcd 0 ;;
      */pause:*) program "$name" pause 65535 && docker tag "$name" "$(kept registry.k8s.io/pause:3.10)" ;;
    esac
  done
  program_on lab/network:bookworm "$(kept lab/kube-router)" kube-router 0
  program "$(kept lab/local-volumes)" local-volumes 0
}

service_images() {
  local operator=quay.io/prometheus-operator prometheus=quay.io/prometheus
  program "$(kept "docker.io/envoyproxy/gateway:$ENVOY_GATEWAY")" envoy-gateway
  program_on lab/debian:bookworm "$(kept "docker.io/envoyproxy/envoy:$ENVOY")" envoy
  program_on lab/network:bookworm "$(kept "ghcr.io/fluxcd/flagger:$FLAGGER")" flagger 65532 /home/flagger/flagger
  program "$(kept "$operator/prometheus-operator:$PROMETHEUS_OPERATOR")" operator
  program "$(kept "$operator/prometheus-config-reloader:$PROMETHEUS_OPERATOR")" \
    prometheus-config-reloader 65534 /bin/prometheus-config-reloader
  program "$(kept "$prometheus/prometheus:$PROMETHEUS")" prometheus 65534 /bin/prometheus
  program "$(kept "$prometheus/alertmanager:$ALERTMANAGER")" alertmanager 65534 /bin/alertmanager
  program "$(kept "registry.k8s.io/metrics-server/metrics-server:$METRICS_SERVER")" metrics-server
  program "$(kept "registry:$REGISTRY")" registry
  program "$(kept "ghcr.io/ferretdb/ferretdb:$FERRETDB")" ferretdb
}

images() {
  : >"$LAB_HOME/cluster-images"
  base_images
  control_plane_images
  service_images
  node_image
}

# The node holds all these images, so that a new cluster starts without loading any. containerd
# imports them in a container of the node's own image, from a file: what is piped into a container
# is slow. No layer of theirs may delete what a lower one holds, which overlay on overlay refuses.
node_image() {
  local name=kindest/node:$KUBERNETES files key
  files=$(module_folder services sigs.k8s.io/kind)/images/base/files
  image lab/node-base "$LAB/node" "$files" "$BIN"/{kubeadm,kubelet,kubectl} <"$LAB/node/Dockerfile"
  key=$(made_of "$(xargs docker image inspect --format '{{.Id}}' <"$LAB_HOME/cluster-images")" lab/node-base)
  fresh "$name" "$key" && return
  step "image $name" "The Docker daemon must allow privileged containers."
  docker rm --force --volumes lab-node-build >/dev/null 2>&1 || true
  xargs docker save --output "$LAB_HOME/cluster-images.tar" <"$LAB_HOME/cluster-images"
  docker run --name lab-node-build --privileged --volume "$LAB_HOME:/lab:ro" --entrypoint /kind/import-images \
    lab/node-base /lab/cluster-images.tar >"$LOG" 2>&1
  docker commit --change "LABEL lab.made-of=$key" \
    --change 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' lab-node-build "$name" >>"$LOG"
  docker rm --force --volumes lab-node-build >>"$LOG"
  rm "$LAB_HOME/cluster-images.tar"
}
