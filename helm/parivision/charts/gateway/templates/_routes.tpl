{{/* The routes that predictions come by, as a policy's targets: Flagger makes the first where it rolls out. */}}
{{- define "gateway.predictionRoutes" -}}
{{- range ternary (list "shots" "shots-pinned") (list "shots") .Values.global.canary.enabled }}
- group: gateway.networking.k8s.io
  kind: HTTPRoute
  name: {{ include "common.fullname" (list $ .) }}
{{- end }}
{{- end -}}
