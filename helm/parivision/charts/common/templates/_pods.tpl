{{/*
What every pod and container has in common: no root, no way to become it, nothing to write but
its own volumes. Pod Security's profile `restricted` asks for most of it.
*/}}

{{/* The pod's part, as the user of the project's images; fsGroup makes its volumes writable. */}}
{{- define "common.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "common.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 1000
capabilities:
  drop: [ALL]
{{- end -}}

{{/* A container's image, one of the project's by its key in global.images: (list $ "components"). */}}
{{- define "common.image" -}}
image: {{ include "common.imageReference" . }}
imagePullPolicy: IfNotPresent
{{- end -}}

{{/* Its reference. Without a tag it has the project's version; a digest decides, if there is one. */}}
{{- define "common.imageReference" -}}
{{- $image := get (first .).Values.global.images (last .) }}
{{- printf "%s:%s" $image.repository ($image.tag | default (include "common.version" .)) }}
{{- with $image.digest }}@{{ . }}{{ end }}
{{- end -}}

{{/*
A setting from a key of a mounted Secret, as (dict "name" VARIABLE "secret" SECRET "key" KEY). Its
value is in no environment, which children inherit and many tools show.
*/}}
{{- define "common.secretFile" -}}
- name: {{ .name }}_FILE
  value: /secrets/{{ .secret }}/{{ .key }}
{{- end -}}

{{/* What such a container mounts, and its pod's volumes; the argument is a list of Secrets. */}}
{{- define "common.secretMounts" -}}
{{- $mounts := list }}
{{- range . }}
{{- $mounts = append $mounts (dict "name" . "mountPath" (printf "/secrets/%s" .) "readOnly" true) }}
{{- end }}
{{- toYaml $mounts }}
{{- end -}}

{{- define "common.secretVolumes" -}}
{{- $volumes := list }}
{{- range . }}
{{- $volumes = append $volumes (dict "name" . "secret" (dict "secretName" . "defaultMode" 0440)) }}
{{- end }}
{{- toYaml $volumes }}
{{- end -}}

{{/* Where the certificate of KFP's authority is mounted, as an environment variable. */}}
{{- define "common.kfpAuthority" -}}
- name: PARIVISION_KFP_CA_FILE
  value: /secrets/{{ . }}/ca.crt
{{- end -}}

{{/* The one folder that a container may write to; the size is the argument. */}}
{{- define "common.tmpVolume" -}}
- name: tmp
  emptyDir:
    sizeLimit: {{ . }}
{{- end -}}

{{- define "common.tmpMount" -}}
- name: tmp
  mountPath: /tmp
{{- end -}}

{{/* An account of its own, without a token: only who talks to Kubernetes gets one. */}}
{{- define "common.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "common.metadata" . | nindent 2 }}
automountServiceAccountToken: false
{{- end -}}

{{/* A volume of a part, by its values `storage`: (list $ "mlflow"). */}}
{{- define "common.volumeClaim" -}}
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  {{- include "common.metadata" . | nindent 2 }}
  {{- if (first .).Values.global.keepVolumes }}
  annotations:
    helm.sh/resource-policy: keep
  {{- end }}
spec:
  accessModes: [ReadWriteOnce]
  {{- with (first .).Values.storage.className }}
  storageClassName: {{ . }}
  {{- end }}
  resources:
    requests:
      storage: {{ (first .).Values.storage.size }}
{{- end -}}

{{/* Where MLflow is and who asks it; the argument is the Secret. */}}
{{- define "common.mlflowEnv" -}}
{{ include "common.secretFile" (dict "name" "MLFLOW_TRACKING_URI" "secret" . "key" "uri") }}
{{ include "common.secretFile" (dict "name" "MLFLOW_TRACKING_USERNAME" "secret" . "key" "username") }}
{{ include "common.secretFile" (dict "name" "MLFLOW_TRACKING_PASSWORD" "secret" . "key" "password") }}
{{- end -}}
