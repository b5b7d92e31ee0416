{{- define "common.hpa" -}}
{{- with .Values.autoscaling -}}
{{- if gt (int .minReplicas) (int .maxReplicas) -}}
{{- fail (printf "%s: autoscaling.minReplicas (%d) is more than autoscaling.maxReplicas (%d)." $.Chart.Name (int .minReplicas) (int .maxReplicas)) -}}
{{- end -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
{{ include "common.metadata" $ }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ $.Chart.Name }}
  minReplicas: {{ int .minReplicas }}
  maxReplicas: {{ int .maxReplicas }}
  metrics:
    {{- /* CPU stands last: where the API server stores the first version of this API, it puts CPU behind all others,
           and a comparison with Git would report another order for ever. */}}
    {{- with .metrics }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- include "common.utilization" (list "memory" .targetMemoryUtilizationPercentage) | nindent 4 }}
    {{- include "common.utilization" (list "cpu" .targetCPUUtilizationPercentage) | nindent 4 }}
  behavior:
    {{- toYaml .behavior | nindent 4 }}
{{- end }}
{{- end }}

{{/* The largest answer of all metrics decides how many pods run. */}}
{{- define "common.utilization" -}}
- type: Resource
  resource:
    name: {{ first . }}
    target:
      type: Utilization
      averageUtilization: {{ int (last .) }}
{{- end }}
