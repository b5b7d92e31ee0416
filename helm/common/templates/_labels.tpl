{{/*
Two labels that never change select the pods of one service: a Deployment's selector is immutable, so nothing that
varies between releases may be part of it. The rest describes, and is free to change.

Every object is named after its chart, not after its release: api-node finds core-go as http://core-go:8080.
*/}}

{{- define "common.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* Prometheus keeps the pods that are part of the platform; dashboards tell builds apart by the version. */}}
{{- define "common.podLabels" -}}
{{ include "common.selectorLabels" . }}
app.kubernetes.io/part-of: platform
app.kubernetes.io/version: {{ include "common.tag" . | quote }}
{{- end }}

{{- define "common.labels" -}}
{{ include "common.podLabels" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* No namespace: whoever installs the chart decides it, in production Argo CD's destination. */}}
{{- define "common.metadata" -}}
metadata:
  name: {{ .Chart.Name }}
  labels:
    {{- include "common.labels" . | nindent 4 }}
{{- end }}
