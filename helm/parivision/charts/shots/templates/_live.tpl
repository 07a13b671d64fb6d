{{/*
What the Deployment runs. Its image, replicas and the marks of the champion belong to the step
`deploy` once it has put a champion there: an upgrade of the chart leaves them as they are in the
cluster. Until then there is nothing to serve, and no pod.

A `helm rollback` restores what an earlier release had rendered, an older champion's image too;
`parivision deploy` puts the champion back.
*/}}
{{- define "shots.live" -}}
{{- $name := include "common.fullname" (list $ "shots") }}
{{- $live := lookup "apps/v1" "Deployment" .Release.Namespace $name | default dict }}
{{- $annotations := dig "spec" "template" "metadata" "annotations" dict $live }}
{{- $marks := dict }}
{{- range $key, $value := $annotations }}
{{- if hasPrefix "parivision.dev/" $key }}
{{- $_ := set $marks $key $value }}
{{- end }}
{{- end }}
{{- if hasKey $marks "parivision.dev/bento-digest" }}
{{- range dig "spec" "template" "spec" "containers" list $live }}
{{- if eq .name "shots" }}
image: {{ .image }}
{{- end }}
{{- end }}
replicas: {{ ternary (dig "spec" "replicas" 0 $live) .Values.replicas .Values.autoscaling.enabled | int }}
marks:
  {{- toYaml $marks | nindent 2 }}
{{- else }}
image: {{ .Values.global.images.serving }}
replicas: 0
marks: {}
{{- end }}
{{- end -}}
