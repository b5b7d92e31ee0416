{{/* For clusters with the Prometheus Operator. The local Prometheus finds the pods by their labels instead. */}}
{{- define "common.servicemonitor" -}}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
{{ include "common.metadata" . }}
    {{- with .Values.serviceMonitor.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  jobLabel: app.kubernetes.io/name
  selector:
    matchLabels:
      {{- include "common.selectorLabels" . | nindent 6 }}
  endpoints:
    - port: {{ .Values.container.portName }}
      path: /metrics
      interval: {{ .Values.serviceMonitor.interval }}
{{- end }}
