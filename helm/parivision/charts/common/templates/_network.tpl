{{/*
Rules of network policies. manifests/ deny everything that no policy allows; each chart brings the
flows that it needs, from named pods to named pods.
*/}}

{{/* A pod of this release by its name, as a peer: (list $ "mongodb"). */}}
{{- define "common.peer" -}}
- podSelector:
    matchLabels:
      {{- include "common.selectorLabels" . | nindent 6 }}
{{- end -}}

{{/* Every pod of a chart, such as all jobs of the pipelines: (list $ "pipelines"). */}}
{{- define "common.componentPeer" -}}
- podSelector:
    matchLabels:
      app.kubernetes.io/component: {{ last . }}
      app.kubernetes.io/instance: {{ (first .).Release.Name }}
{{- end -}}

{{/* The Prometheus of the chart monitoring; its operator names the pods after the resource. */}}
{{- define "common.prometheusPeer" -}}
- podSelector:
    matchLabels:
      app.kubernetes.io/name: prometheus
      app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Steps of Kubeflow runs in the namespaces that global.runsNamespaces names. */}}
{{- define "common.runPeers" -}}
{{- with .Values.global.runsNamespaces }}
- namespaceSelector:
    matchExpressions:
      - key: kubernetes.io/metadata.name
        operator: In
        values: {{ toJson . }}
  podSelector:
    matchLabels:
      pipelines.kubeflow.org/v2_component: "true"
{{- end }}
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
