#!/usr/bin/env bash
# Checks the chart with each values file in ci/: helm's own lint and Kubernetes' schemas.
# What holds for every pod is tested in tests/pipeline/test_charts.py. `make lint-charts` runs it.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kubernetes=1.34
validate=${VALIDATE:-kubernetes-validate}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for values in "$here"/parivision/ci/*.yaml; do
  name=$(basename "$values" .yaml)
  chart=(--kube-version "$kubernetes.0" --values "$values")
  helm lint --strict --quiet "${chart[@]}" "$here/parivision"
  helm template parivision "$here/parivision" --namespace parivision "${chart[@]}" >"$work/$name.yaml"
  grep -q '^kind:' "$work/$name.yaml" || continue # everything off
  # What comes with the cluster's own definitions is checked by the cluster tests.
  "$validate" --strict --quiet --no-warn --kubernetes-version "$kubernetes" "$work/$name.yaml"
done
