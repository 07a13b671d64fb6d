{{/* What the page asks: name, what it is for, address, path of its health, and what people click on. */}}
{{- define "app.parts" -}}
{{- $ns := .Release.Namespace }}
{{- $known := list
      (list "predictions" "Predictions" "answers what a shot is worth" (include "common.url" (list $ "shots" 3000)) "/readyz")
      (list "mlflow" "MLflow" "keeps runs, models and the champion's name" (include "common.url" (list $ "mlflow" 5000)) "/health")
      (list "prometheus" "Prometheus" "counts" (printf "http://prometheus-operated.%s.svc:9090" $ns) "/-/ready")
      (list "alertmanager" "Alertmanager" "says who hears of what is wrong" (printf "http://alertmanager-operated.%s.svc:9093" $ns) "/-/ready")
      (list "statsApi" "Stats API" "hands out shots" (include "common.url" (list $ "stats-api" 8000)) "/health") }}
{{- if .Values.global.canary.enabled }}
{{- $known = append $known (list "verdict" "Verdict" "judges rollouts" (include "common.url" (list $ "verdict" 8080)) "/readyz") }}
{{- end }}
{{- if include "common.retrains" . }}
{{- $known = append $known (list "retraining" "Retraining" "starts a training when an alert asks for it" (include "common.url" (list $ "retraining" 8090)) "/readyz") }}
{{- end }}
{{- with .Values.global.kfp.endpoint }}
{{- $known = append $known (list "kubeflow" "Pipelines" "runs the training" . "/apis/v2beta1/healthz") }}
{{- end }}
{{- $grafana := .Values.grafana }}
{{- if .Values.global.grafana.enabled }}
{{- $grafana = include "common.url" (list $ "grafana" 3000) }}
{{- end }}
{{- with $grafana }}
{{- $known = append $known (list "grafana" "Grafana" "shows dashboards" . "/api/health") }}
{{- end }}
{{- $doors := dict }}
{{- if and .Values.gateway (include "common.doors" .) }}
{{- /* This page comes through the same gateway, so a path alone leads there. */}}
{{- $doors = dict "verdict" "/rollouts/" "mlflow" "/mlflow/" "prometheus" "/prometheus/" "alertmanager" "/alertmanager/" "grafana" "/grafana/" "predictions" "/docs.json" }}
{{- if .Values.global.kfp.ui.service }}
{{- $_ := set $doors "kubeflow" "/pipeline/" }}
{{- end }}
{{- end }}
{{- $parts := list }}
{{- range $known }}
{{- if not (has (index . 0) $.Values.without) }}
{{- $parts = append $parts (dict "name" (index . 1) "about" (index . 2) "url" (index . 3) "health" (index . 4) "link" (get $.Values.links (index . 0) | default (get $doors (index . 0)))) }}
{{- end }}
{{- end }}
{{- toPrettyJson $parts }}
{{- end -}}
