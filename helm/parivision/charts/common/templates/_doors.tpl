{{/*
What people open in a browser is reached through the release's gateway, each part below a path of its
own: the address is that of the predictions, and nobody forwards a port.
*/}}

{{/* Whether the gateway leads to the pages: not empty if it does. */}}
{{- define "common.doors" -}}
{{- if .Values.global.gateway.doors }}yes{{ end -}}
{{- end -}}

{{/* The peers that a page's policy lets in beside others, nothing where there are no doors. */}}
{{- define "common.doorPeer" -}}
{{- if include "common.doors" . }}
{{- include "common.gatewayPeer" . }}
{{- end }}
{{- end -}}

{{/* A part's address for browsers: (list $ "mlflow"). */}}
{{- define "common.doorUrl" -}}
{{- printf "%s/%s" ((first .).Values.global.gateway.url | trimSuffix "/") (last .) -}}
{{- end -}}

{{/*
The way from the gateway to a part's pages. The part sees paths without the prefix, unless `whole` says
that it knows it. Takes a dict:
  root      the context
  part      name of the part, which is its path too
  service   name of its service, with the release
  namespace of the service; default the release's
  port      of the service
  methods   what may be asked, as a list; default everything
  whole     whether the part sees the path as it is; default no
  beside    paths outside its own that its pages ask, as a list; only where it sees them as they are
  login     whether the gateway asks for the operators' login; default no, for parts that have their own
*/}}
{{- define "common.door" -}}
{{- $root := .root }}
{{- if include "common.doors" $root }}
{{- $name := printf "%s-door" .part }}
{{- $backend := dict "name" .service "port" .port }}
{{- with .namespace }}
{{- $_ := set $backend "namespace" . }}
{{- end }}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  {{- include "common.metadata" (list $root $name) | nindent 2 }}
spec:
  parentRefs:
    - name: {{ $root.Release.Name }}
  rules:
    # Pages name their own parts relative to the folder that they are in.
    - matches:
        - path: {type: Exact, value: /{{ .part }}}
      filters:
        - type: RequestRedirect
          requestRedirect:
            path: {type: ReplaceFullPath, replaceFullPath: /{{ .part }}/}
            statusCode: 302
    - matches:
        {{- range .methods | default (list "") }}
        - path: {type: PathPrefix, value: /{{ $.part }}/}
          {{- with . }}
          method: {{ . }}
          {{- end }}
        {{- end }}
        {{- range .beside }}
        - path: {type: PathPrefix, value: {{ . }}}
        {{- end }}
      {{- if not .whole }}
      filters:
        - type: URLRewrite
          urlRewrite:
            path: {type: ReplacePrefixMatch, replacePrefixMatch: /}
      {{- end }}
      backendRefs:
        - {{ toYaml $backend | nindent 10 | trim }}
{{- if .login }}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata:
  {{- include "common.metadata" (list $root $name) | nindent 2 }}
spec:
  targetRefs:
    - group: gateway.networking.k8s.io
      kind: HTTPRoute
      name: {{ include "common.fullname" (list $root $name) }}
  basicAuth:
    users:
      name: parivision-operators
{{- end }}
{{- end }}
{{- end -}}
