{{/*
Names and labels. Every template takes a list: the context and the name of the thing, such as
(list $ "mongodb") or (list $ "mongodb-users").
*/}}

{{/* The name of an object: the release's, then its own. */}}
{{- define "common.fullname" -}}
{{- printf "%s-%s" (first .).Release.Name (last .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* A service of the release as every pod finds it: (list $ "mlflow" 5000). */}}
{{- define "common.url" -}}
{{- $root := first . }}
{{- printf "http://%s.%s.svc:%d" (include "common.fullname" (list $root (index . 1))) $root.Release.Namespace (int (last .)) -}}
{{- end -}}

{{/* What a selector may use: nothing that an upgrade changes. */}}
{{- define "common.selectorLabels" -}}
app.kubernetes.io/name: {{ last . }}
app.kubernetes.io/instance: {{ (first .).Release.Name }}
{{- end -}}

{{/* Labels of every pod that predicts, of the canary and of the primary. */}}
{{- define "common.servingLabels" -}}
parivision.dev/serves: shots
app.kubernetes.io/instance: {{ (first .).Release.Name }}
{{- end -}}

{{/* Labels of a pod; without versions, so that an upgrade restarts only what it changes. */}}
{{- define "common.podLabels" -}}
{{ include "common.selectorLabels" . }}
app.kubernetes.io/component: {{ (first .).Chart.Name }}
app.kubernetes.io/part-of: parivision
{{- end -}}

{{/* Labels of every other object. */}}
{{- define "common.labels" -}}
{{ include "common.podLabels" . }}
app.kubernetes.io/managed-by: {{ (first .).Release.Service }}
app.kubernetes.io/version: {{ include "common.version" . | quote }}
helm.sh/chart: parivision-{{ include "common.version" . }}
{{- end -}}

{{/* name, namespace and labels: the metadata of an object. */}}
{{- define "common.metadata" -}}
name: {{ include "common.fullname" . }}
namespace: {{ (first .).Release.Namespace }}
labels:
  {{- include "common.labels" . | nindent 2 }}
{{- end -}}
