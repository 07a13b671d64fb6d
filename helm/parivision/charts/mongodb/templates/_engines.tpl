{{/* What differs between the two engines: the container's command, variables and probes. */}}

{{- define "mongodb.mongodb.container" -}}
# Left alone it would size its cache by the memory of the whole node.
args: [mongod, --bind_ip_all, --wiredTigerCacheSizeGB, "0.25"]
env:
  - name: HOME
    value: /tmp
  {{- include "common.secretFile" (dict "name" "MONGO_INITDB_ROOT_USERNAME" "secret" "parivision-mongodb-root" "key" "username") | nindent 2 }}
  {{- include "common.secretFile" (dict "name" "MONGO_INITDB_ROOT_PASSWORD" "secret" "parivision-mongodb-root" "key" "password") | nindent 2 }}
ports:
  - name: mongodb
    containerPort: 27017
# It listens on this address only after root was made. A client in a probe would cost a second of
# CPU every time.
startupProbe:
  tcpSocket: {port: mongodb}
  periodSeconds: 2
  failureThreshold: 90
readinessProbe:
  tcpSocket: {port: mongodb}
  periodSeconds: 5
livenessProbe:
  tcpSocket: {port: mongodb}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
volumeMounts:
  - name: data
    mountPath: /data/db
  - name: config
    mountPath: /data/configdb
  {{- include "common.secretMounts" (list "parivision-mongodb-root") | nindent 2 }}
  {{- include "common.tmpMount" . | nindent 2 }}
{{- end -}}

{{- /* What asks MongoDB for its numbers, at the path where FerretDB has its own. */}}
{{- define "mongodb.mongodb.exporter" -}}
- name: exporter
  image: {{ .Values.images.exporter }}
  imagePullPolicy: IfNotPresent
  args:
    - --mongodb.uri=mongodb://127.0.0.1:27017/parivision
    - --collector.diagnosticdata
    - --web.listen-address=:8088
    - --web.telemetry-path=/debug/metrics
  # It reads no file; nor is there a shell in its image.
  env:
    {{- range $variable, $key := dict "USER" "username" "PASSWORD" "password" }}
    - name: MONGODB_{{ $variable }}
      valueFrom:
        secretKeyRef: {name: parivision-mongodb-monitor, key: {{ $key }}}
    {{- end }}
  ports:
    - name: metrics
      containerPort: 8088
  securityContext:
    {{- include "common.containerSecurityContext" . | nindent 4 }}
  # MongoDB counts with it or without: it never decides whether the pod is ready or alive.
  livenessProbe:
    tcpSocket: {port: metrics}
    periodSeconds: 20
    timeoutSeconds: 5
    failureThreshold: 6
  readinessProbe:
    tcpSocket: {port: metrics}
    periodSeconds: 20
  resources:
    requests: {cpu: 20m, memory: 32Mi}
    limits: {cpu: 200m, memory: 128Mi}
{{- end -}}

{{- define "mongodb.ferretdb.exporter" -}}
{{- end -}}

{{- define "mongodb.mongodb.volumes" -}}
- name: config
  emptyDir:
    sizeLimit: 1Mi
{{ include "common.secretVolumes" (list "parivision-mongodb-root") }}
{{- end -}}

{{- define "mongodb.ferretdb.container" -}}
args:
  - --handler=sqlite
  - --sqlite-url=file:/data/
  - --state-dir=/data
  - --listen-addr=:27017
  - --debug-addr=:8088
  - --telemetry=disable
  - --log-level=WARN
  - --test-enable-new-auth
  - --setup-database=admin
# It reads no file; nor is there a shell or anything else in its image to show its environment.
env:
  {{- range $variable, $key := dict "USERNAME" "username" "PASSWORD" "password" }}
  - name: FERRETDB_SETUP_{{ $variable }}
    valueFrom:
      secretKeyRef: {name: parivision-mongodb-root, key: {{ $key }}}
  {{- end }}
ports:
  - name: mongodb
    containerPort: 27017
  - name: metrics
    containerPort: 8088
startupProbe:
  httpGet: {path: /debug/livez, port: metrics}
  periodSeconds: 2
  failureThreshold: 90
# It logs root in.
readinessProbe:
  httpGet: {path: /debug/readyz, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
livenessProbe:
  httpGet: {path: /debug/livez, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
volumeMounts:
  - name: data
    mountPath: /data
  {{- include "common.tmpMount" . | nindent 2 }}
{{- end -}}

{{- define "mongodb.ferretdb.volumes" -}}
{{- end -}}
