{{/*
The pod of a task: a Job, a CronJob or a test, on the components' image or another one. Takes a dict:
  root        the context
  account     name of the service account, without the release
  name        the container's name
  image       key of global.images; default components
  command     list
  env         variables, as YAML; default none
  logins      Secrets to mount at /secrets/NAME, as a list of dicts: name, secret, and prefix of the
              keys username and password; default none
  secrets     Secrets that `env` names files of, as a list; default none
  resources   requests and limits; default those of a small task
  tmp         size of /tmp; default 64Mi
  restart     restartPolicy; default OnFailure
  priority    name of its priority class, without the release; default none
  token       whether it may talk to Kubernetes; default false
*/}}
{{- define "common.task" -}}
serviceAccountName: {{ include "common.fullname" (list .root .account) }}
automountServiceAccountToken: {{ .token | default false }}
enableServiceLinks: false
{{- with .priority }}
priorityClassName: {{ include "common.fullname" (list $.root .) }}
{{- end }}
restartPolicy: {{ .restart | default "OnFailure" }}
securityContext:
  {{- include "common.podSecurityContext" .root | nindent 2 }}
containers:
  - name: {{ .name }}
    {{- include "common.image" (list .root (.image | default "components")) | nindent 4 }}
    securityContext:
      {{- include "common.containerSecurityContext" .root | nindent 6 }}
    command:
      {{- toYaml .command | nindent 6 }}
    {{- with .env }}
    env:
      {{- . | nindent 6 }}
    {{- end }}
    resources:
      {{- toYaml (.resources | default (include "common.smallTask" . | fromYaml)) | nindent 6 }}
    volumeMounts:
      {{- with .secrets }}
      {{- include "common.secretMounts" . | nindent 6 }}
      {{- end }}
      {{- range .logins }}
      - name: {{ .name }}
        mountPath: /secrets/{{ .name }}
        readOnly: true
      {{- end }}
      {{- include "common.tmpMount" . | nindent 6 }}
volumes:
  {{- with .secrets }}
  {{- include "common.secretVolumes" . | nindent 2 }}
  {{- end }}
  {{- range .logins }}
  - name: {{ .name }}
    secret:
      secretName: {{ .secret }}
      defaultMode: 0440
      items:
        - key: {{ .prefix }}username
          path: {{ .prefix }}username
        - key: {{ .prefix }}password
          path: {{ .prefix }}password
  {{- end }}
  {{- include "common.tmpVolume" (.tmp | default "64Mi") | nindent 2 }}
{{- end -}}

{{- define "common.smallTask" -}}
requests: {cpu: 10m, memory: 128Mi}
limits: {cpu: "1", memory: 512Mi}
{{- end -}}

{{/* metadata of a `helm test` pod: (list $ "mongodb-test"). */}}
{{- define "common.testMetadata" -}}
{{ include "common.metadata" . }}
annotations:
  helm.sh/hook: test
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
