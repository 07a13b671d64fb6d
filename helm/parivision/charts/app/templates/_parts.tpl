{{/* What the page asks: name, what it is for, address, path of its health, and what people click on. */}}
{{- define "app.parts" -}}
{{- $ns := .Release.Namespace }}
{{- $known := list
      (list "predictions" "Predictions" "answers what a shot is worth" (printf "http://%s.%s.svc:3000" (include "common.fullname" (list $ "shots")) $ns) "/readyz")
      (list "mlflow" "MLflow" "keeps runs, models and the champion's name" (printf "http://%s.%s.svc:5000" (include "common.fullname" (list $ "mlflow")) $ns) "/health")
      (list "prometheus" "Prometheus" "counts" (printf "http://prometheus-operated.%s.svc:9090" $ns) "/-/ready")
      (list "alertmanager" "Alertmanager" "says who hears of what is wrong" (printf "http://alertmanager-operated.%s.svc:9093" $ns) "/-/ready")
      (list "statsApi" "Stats API" "hands out shots" (printf "http://%s.%s.svc:8000" (include "common.fullname" (list $ "stats-api")) $ns) "/health") }}
{{- if .Values.global.canary.enabled }}
{{- $known = append $known (list "verdict" "Verdict" "judges rollouts" (printf "http://%s.%s.svc:8080" (include "common.fullname" (list $ "verdict")) $ns) "/readyz") }}
{{- end }}
{{- if include "common.retrains" . }}
{{- $known = append $known (list "retraining" "Retraining" "starts a training when an alert asks for it" (printf "http://%s.%s.svc:8090" (include "common.fullname" (list $ "retraining")) $ns) "/readyz") }}
{{- end }}
{{- with .Values.global.kfp.endpoint }}
{{- $known = append $known (list "kubeflow" "Pipelines" "runs the training" . "/apis/v2beta1/healthz") }}
{{- end }}
{{- with .Values.grafana }}
{{- $known = append $known (list "grafana" "Grafana" "shows dashboards" . "/api/health") }}
{{- end }}
{{- $parts := list }}
{{- range $known }}
{{- if not (has (index . 0) $.Values.without) }}
{{- $parts = append $parts (dict "name" (index . 1) "about" (index . 2) "url" (index . 3) "health" (index . 4) "link" (get $.Values.links (index . 0) | default "")) }}
{{- end }}
{{- end }}
{{- toPrettyJson $parts }}
{{- end -}}
