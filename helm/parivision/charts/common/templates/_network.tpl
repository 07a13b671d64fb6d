{{/*
Rules of network policies. manifests/ deny everything that no policy allows; each chart brings the
flows that it needs, from named pods to named pods.
*/}}

{{/*
A pod of this release by its name, as a peer: (list $ "mongodb"). The prediction service's pods have
two names, for Flagger calls those that serve `shots-primary`. Those of Prometheus and Alertmanager
are named by their operator after the resource.
*/}}
{{- define "common.peer" -}}
- podSelector:
    matchLabels:
      {{- include (ternary "common.servingLabels" "common.selectorLabels" (eq (last .) "shots")) . | nindent 6 }}
{{- end -}}

{{/* The proxies of this release's gateway, where Envoy Gateway runs them. */}}
{{- define "common.gatewayPeer" -}}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: envoy-gateway-system
  podSelector:
    matchLabels:
      gateway.envoyproxy.io/owning-gateway-name: {{ .Release.Name }}
      gateway.envoyproxy.io/owning-gateway-namespace: {{ .Release.Namespace }}
{{- end -}}

{{/*
Whatever runs a pipeline: the jobs of the chart pipelines, and the steps of Kubeflow's runs in the
namespaces that global.runsNamespaces names.
*/}}
{{- define "common.pipelinePeers" -}}
- podSelector:
    matchLabels:
      app.kubernetes.io/component: pipelines
      app.kubernetes.io/instance: {{ .Release.Name }}
{{- with .Values.global.runsNamespaces }}
- namespaceSelector:
    matchExpressions:
      - key: kubernetes.io/metadata.name
        operator: In
        values: {{ toJson . }}
  podSelector:
    matchLabels:
      app.kubernetes.io/part-of: parivision
{{- end }}
{{- end -}}

{{/*
Where alerts start a training, by the chart retraining: "kubeflow", or "jobs" without one, or empty
where no alert does.
*/}}
{{- define "common.retrains" -}}
{{- if .Values.global.retraining.enabled }}{{ ternary "kubeflow" "jobs" (not (empty .Values.global.kfp.endpoint)) }}{{ end -}}
{{- end -}}

{{/* Egress to the port of a URL, wherever that is; nothing for none. */}}
{{- define "common.urlEgress" -}}
{{- with . -}}
- ports:
    - port: {{ urlParse . | dig "host" "" | regexFind ":[0-9]+$" | trimPrefix ":" | default (ternary 443 80 (hasPrefix "https:" .)) }}
{{- end }}
{{- end -}}

{{/* Egress to Kubeflow's API. */}}
{{- define "common.kfpEgress" -}}
{{- include "common.urlEgress" .Values.global.kfp.endpoint }}
{{- end -}}

{{/* Egress to Kubernetes itself, which is no pod to be named. */}}
{{- define "common.kubernetesEgress" -}}
- ports:
    - port: 443
    - port: 6443
{{- end -}}

{{/* Egress to the cluster's name service. */}}
{{- define "common.dnsEgress" -}}
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: kube-system
      podSelector:
        matchLabels:
          k8s-app: kube-dns
  ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
{{- end -}}

{{/*
The policy of a pod that only asks others: (list $ "mlflow-users" (dict "mlflow" 5000)), the names
of the pods that it asks and their ports.
*/}}
{{- define "common.clientPolicy" -}}
{{- $root := first . }}
{{- $name := index . 1 }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "common.metadata" (list $root $name) | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "common.selectorLabels" (list $root $name) | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress: []
  egress:
    {{- include "common.dnsEgress" $root | nindent 4 }}
    {{- range $peer, $port := last . }}
    - to:
        {{- include "common.peer" (list $root $peer) | nindent 8 }}
      ports:
        - port: {{ $port }}
    {{- end }}
{{- end -}}
