{{- define "common.hpa" -}}
{{- with .Values.autoscaling -}}
{{- if gt (int .minReplicas) (int .maxReplicas) -}}
{{- fail (printf "%s: autoscaling.minReplicas (%d) is more than autoscaling.maxReplicas (%d)." $.Chart.Name (int .minReplicas) (int .maxReplicas)) -}}
{{- end -}}
{{- if not (or .metrics .targetCPUUtilizationPercentage .targetMemoryUtilizationPercentage) -}}
{{- fail (printf "%s: autoscaling has nothing to go by. Set autoscaling.targetCPUUtilizationPercentage, targetMemoryUtilizationPercentage or metrics, or enabled: false." $.Chart.Name) -}}
{{- end -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
{{ include "common.metadata" $ }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "common.fullname" $ }}
  minReplicas: {{ int .minReplicas }}
  maxReplicas: {{ int .maxReplicas }}
  metrics:
    {{- /* CPU stands last: where the API server stores the first version of this API, it puts CPU behind all others,
           and a comparison with Git would report another order for ever. */}}
    {{- with .metrics }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- with .targetMemoryUtilizationPercentage }}
    {{- include "common.utilization" (list "memory" .) | nindent 4 }}
    {{- end }}
    {{- with .targetCPUUtilizationPercentage }}
    {{- include "common.utilization" (list "cpu" .) | nindent 4 }}
    {{- end }}
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
