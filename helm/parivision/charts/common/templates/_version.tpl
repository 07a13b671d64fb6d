{{/*
The version of the project: appVersion of the whole chart, which the chart of a part cannot see.
`make version` writes both.
*/}}
{{- define "common.version" -}}0.1.0{{- end -}}
