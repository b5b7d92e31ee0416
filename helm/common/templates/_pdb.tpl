{{- define "common.pdb" -}}
{{- if .Values.podDisruptionBudget.enabled -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
{{ include "common.metadata" . }}
spec:
  # Not minAvailable: with one replica that would never let its node be drained.
  maxUnavailable: {{ int .Values.podDisruptionBudget.maxUnavailable }}
  # A pod that isn't ready serves nobody; keeping it would only hold up the drain.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "common.selectorLabels" . | nindent 6 }}
{{- end }}
{{- end }}
