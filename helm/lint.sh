#!/usr/bin/env bash
# Checks the chart with each values file in ci/: helm's own lint, kube-score, and Kubernetes'
# schemas. `make lint-charts` runs it.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kubernetes=1.34
validate=${VALIDATE:-kubernetes-validate}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What kube-score asks for and the chart does not do.
ignored=(
  # The images are loaded or pulled by digest; Always would ask a registry for what a node has.
  container-image-pull-policy
  # Whatever a container can write to is a volume with a size of its own.
  container-ephemeral-storage-request-and-limit
  # Users from 10000 on, so that none is one of the node's: the images' user is 1000.
  container-security-context-user-group-id
  # One server with one volume: it is replaced, not rolled, and a budget would only block a drain.
  deployment-strategy
  deployment-replicas
  deployment-has-poddisruptionbudget
  statefulset-has-poddisruptionbudget
  deployment-has-host-podantiaffinity
  statefulset-has-host-podantiaffinity
  pod-topology-spread-constraints
  # Nobody asks for the lake's pod by its own name.
  statefulset-has-servicename
  # What runs is kept by an upgrade, so it is said.
  deployment-targeted-by-hpa-does-not-have-replicas-configured
  # The nodes pull from the registry's.
  service-type
  # A server has one path that tells of its health; it is restarted later than it is passed over.
  pod-probes-identical
  # Those of Prometheus' operator and of Kubeflow's pipelines are not rendered; that each rendered
  # pod has a policy is tested.
  networkpolicy-targets-pod
)

for values in "$here"/parivision/ci/*.yaml; do
  name=$(basename "$values" .yaml)
  chart=(--kube-version "$kubernetes.0" --values "$values")
  helm lint --strict --quiet "${chart[@]}" "$here/parivision"
  helm template parivision "$here/parivision" --namespace parivision "${chart[@]}" >"$work/$name.yaml"
  grep -q '^kind:' "$work/$name.yaml" || continue # everything off
  kube-score score --kubernetes-version "v$kubernetes" --output-format ci --exit-one-on-warning \
    --enable-optional-test container-ports-check --enable-optional-test container-seccomp-profile \
    "${ignored[@]/#/--ignore-test=}" "$work/$name.yaml" >"$work/$name.score" ||
    { grep -vE '\[(OK|SKIPPED)\]' "$work/$name.score" >&2 && exit 1; }
  # What comes with the cluster's own definitions is checked by the cluster tests.
  "$validate" --strict --quiet --no-warn --kubernetes-version "$kubernetes" "$work/$name.yaml"
done
