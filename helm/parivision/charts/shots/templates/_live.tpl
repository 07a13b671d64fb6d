{{/*
What the Deployment runs. Its image, replicas and the marks of the champion belong to the step
`deploy` once it has put a champion there: an upgrade of the chart leaves them as they are in the
cluster. Until then there is nothing to serve, and no pod.

Where Flagger rolls out, this is what it makes its canaries from: at rest it has no pods, and what
serves is the Deployment NAME-primary, which Flagger copies from it. A change of the pods' template
is rolled out and judged like a new image. Flagger begins with the first champion: before it there
is nothing to copy.

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
replicas: {{ ternary (dig "spec" "replicas" 0 $live) .Values.replicas (or .Values.autoscaling.enabled .Values.global.canary.enabled) | int }}
marks:
  {{- toYaml $marks | nindent 2 }}
{{- else }}
image: {{ include "common.imageReference" (list $ "serving") }}
replicas: 0
marks: {}
{{- end }}
{{- $canary := dict }}
{{- if .Values.global.canary.enabled }}
{{- $canary = lookup "flagger.app/v1beta1" "Canary" .Release.Namespace $name | default dict }}
{{- end }}
suspend: {{ ternary (dig "spec" "suspend" false $canary) (not (hasKey $marks "parivision.dev/bento-digest")) (not (empty $canary)) }}
{{- end -}}
