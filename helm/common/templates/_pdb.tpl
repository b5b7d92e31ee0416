{{- define "common.pdb" -}}
{{- $budget := .Values.podDisruptionBudget -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
{{ include "common.metadata" . }}
spec:
  {{- if hasKey $budget "minAvailable" }}
  minAvailable: {{ include "common.minAvailable" . }}
  {{- else }}
  maxUnavailable: {{ $budget.maxUnavailable }}
  {{- end }}
  # A pod that isn't ready serves nobody; keeping it would only hold up the drain.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "common.selectorLabels" . | nindent 6 }}
{{- end }}

{{/*
At the fewest pods that may run, one has to be dispensable, or no node that it runs on could ever be drained.
Kubernetes rounds a percentage up, so 50% of one pod is one pod.
*/}}
{{- define "common.minAvailable" -}}
{{- $wanted := .Values.podDisruptionBudget.minAvailable -}}
{{- $fewest := int (ternary .Values.autoscaling.minReplicas .Values.replicaCount .Values.autoscaling.enabled) -}}
{{- $pods := 0 -}}
{{- if kindIs "string" $wanted -}}
{{- $pods = div (add (mul (trimSuffix "%" $wanted | int) $fewest) 99) 100 | int -}}
{{- else -}}
{{- $pods = int $wanted -}}
{{- end -}}
{{- if ge $pods $fewest -}}
{{- fail (printf "%s: podDisruptionBudget.minAvailable (%v) is all of the pods that may be running (%d), so that no node could be drained. Say maxUnavailable: 1." .Chart.Name $wanted $fewest) -}}
{{- end -}}
{{- $wanted -}}
{{- end }}
