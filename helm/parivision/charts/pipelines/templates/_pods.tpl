{{/*
The pod of a whole pipeline: (dict "root" $ "name" CONTAINER "command" LIST), with "env" for more
variables and "restart" for another restartPolicy. Its tasks are processes in it, with the
credentials that Kubeflow would give to their pods.
*/}}
{{- define "pipelines.pod" -}}
{{- $env := include "pipelines.env" .root }}
{{- with .env }}
{{- $env = printf "%s\n%s" $env . }}
{{- end }}
{{- include "common.task" (dict "root" .root "account" "pipelines" "name" .name "command" .command "env" $env "secrets" (include "pipelines.secrets" . | fromYamlArray) "priority" "training" "resources" .root.Values.resources "tmp" "8Gi" "token" true "restart" .restart) }}
{{- end -}}

{{/*
Labels of a Job that runs a pipeline: (list $ "first-champion" "training"). By the last one the
retraining service finds the trainings, whoever made them.
*/}}
{{- define "pipelines.jobLabels" -}}
{{ include "common.podLabels" (list (first .) (index . 1)) }}
parivision.dev/pipeline: {{ last . }}
{{- end -}}

{{- define "pipelines.secrets" -}}
[parivision-lake, parivision-prediction-log, parivision-mlflow, parivision-images]
{{- end -}}

{{- define "pipelines.env" -}}
{{ include "common.secretFile" (dict "name" "PARIVISION_LAKE" "secret" "parivision-lake" "key" "uri") }}
{{ include "common.secretFile" (dict "name" "PARIVISION_PREDICTION_LOG" "secret" "parivision-prediction-log" "key" "uri") }}
{{ include "common.mlflowEnv" "parivision-mlflow" }}
{{- range $variable, $key := dict "PUSH" "push" "PULL" "pull" "USERNAME" "username" "PASSWORD" "password" }}
{{ include "common.secretFile" (dict "name" (printf "PARIVISION_IMAGES_%s" $variable) "secret" "parivision-images" "key" $key) }}
{{- end }}
- name: PARIVISION_DEPLOYMENT
  value: {{ .Release.Namespace }}/{{ include "common.fullname" (list . "shots") }}
# Tasks that know their pod never make do with a lake or a registry of their own in it.
- name: PARIVISION_POD
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- end -}}

{{/* Why a run was started: an alert's Job has it on its pod, others have nothing there. */}}
{{- define "pipelines.causeEnv" -}}
- name: CAUSE
  valueFrom:
    fieldRef:
      fieldPath: metadata.annotations['parivision.dev/cause']
{{- end -}}
