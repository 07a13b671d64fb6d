{{/* What Prometheus' and Alertmanager's resources have in common. */}}

{{/* The version in an image's tag: the operator writes the configuration for it. */}}
{{- define "monitoring.version" -}}
{{- regexFind ":v?[0-9]+\\.[0-9]+\\.[0-9]+" . | trimPrefix ":" | required (printf "%s: a tag such as v1.2.3 is needed, its version decides what is configured" .) -}}
{{- end -}}

{{/*
Whom alerts are told: slack or nobody. `auto` looks into the Secret of the cluster, which a render
without one cannot: an address that goes nowhere would only fail, and fire an alert of its own.
*/}}
{{- define "monitoring.messages" -}}
{{- $wanted := .Values.alertmanager.messages }}
{{- if eq $wanted "auto" }}
{{- $secret := lookup "v1" "Secret" .Release.Namespace "parivision-slack" | default dict }}
{{- $url := dig "data" "url" "" $secret | b64dec | trim }}
{{- $wanted = ternary "nobody" "slack" (or (not $url) (contains ".invalid" $url)) }}
{{- end }}
{{- $wanted -}}
{{- end -}}

{{/* The operator's other container in a pod; the operator gives it neither probes nor much to use. */}}
{{- define "monitoring.reloader" -}}
- name: config-reloader
  readinessProbe:
    httpGet: {path: /healthz, port: reloader-web}
    periodSeconds: 10
  livenessProbe:
    httpGet: {path: /healthz, port: reloader-web}
    periodSeconds: 30
    failureThreshold: 6
  resources:
    requests: {cpu: 5m, memory: 16Mi}
    limits: {cpu: 100m, memory: 64Mi}
{{- end -}}

{{/* Labels of the pods beside the operator's own. */}}
{{- define "monitoring.podMetadata" -}}
labels:
  app.kubernetes.io/component: {{ .Chart.Name }}
  app.kubernetes.io/part-of: parivision
{{- end -}}

{{/* Of this release and nobody else's: what a selector of monitors and rules says. */}}
{{- define "monitoring.ours" -}}
matchLabels:
  app.kubernetes.io/part-of: parivision
  app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The namespaces that Prometheus finds pods in, as a JSON list. */}}
{{- define "monitoring.namespaces" -}}
{{- $found := list .Release.Namespace }}
{{- range list .Values.envoy .Values.flagger .Values.kubelet }}
{{- if .enabled }}{{ $found = append $found .namespace }}{{ end }}
{{- end }}
{{- $found | uniq | toJson -}}
{{- end -}}
