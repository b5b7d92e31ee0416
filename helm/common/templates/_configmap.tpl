{{/* The port comes from one value, so that the program, the probes and the Service can't disagree on it. */}}
{{- define "common.environment" -}}
{{- $port := dict .Values.container.portVariable (.Values.container.port | int | toString) -}}
{{- with .Values.container.metricsPort -}}
{{- $_ := set $port "METRICS_PORT" (. | int | toString) -}}
{{- end -}}
{{- merge $port .Values.env | toYaml -}}
{{- end }}

{{- define "common.configmap" -}}
apiVersion: v1
kind: ConfigMap
{{ include "common.metadata" . }}
data:
  {{- include "common.environment" . | nindent 2 }}
{{- end }}
