{{- define "common.deployment" -}}
{{- $deadline := int (.Values.progressDeadlineSeconds | default 180) -}}
{{- if le $deadline (int .Values.minReadySeconds) -}}
{{- fail (printf "%s: minReadySeconds must be less than progressDeadlineSeconds (%d)." .Chart.Name $deadline) -}}
{{- end -}}
apiVersion: apps/v1
kind: Deployment
{{ include "common.metadata" . }}
spec:
  {{- if not .Values.autoscaling.enabled }}
  {{- /* Under an HPA the field stays unstated: Argo CD would set it back each time that the HPA changes it. */}}
  replicas: {{ int .Values.replicaCount }}
  {{- end }}
  revisionHistoryLimit: 3
  # A release that makes no progress for so long is Degraded. Kubernetes itself waits for ten minutes.
  progressDeadlineSeconds: {{ $deadline }}
  {{- with .Values.minReadySeconds }}
  minReadySeconds: {{ int . }}
  {{- end }}
  strategy:
    {{- with .Values.strategy }}
    {{- toYaml . | nindent 4 }}
    {{- else }}
    type: RollingUpdate
    rollingUpdate:
      # A new pod is ready before an old one goes: one replica is enough for a rollout without a gap.
      maxUnavailable: 0
      maxSurge: 1
    {{- end }}
  selector:
    matchLabels:
      {{- include "common.selectorLabels" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "common.podLabels" . | nindent 8 }}
        {{- include "common.overlay" (list .Values.commonLabels .Values.podLabels) | nindent 8 }}
      annotations:
        # A pod reads its environment once, at its start. The hash changes the pod template with it, which rolls the pods.
        checksum/config: {{ include "common.environment" . | sha256sum }}
        {{- if .Values.sealedSecret.enabled }}
        checksum/secret: {{ toJson .Values.sealedSecret.encryptedData | sha256sum }}
        {{- end }}
        {{- if .Values.container.metricsPort }}
        # Prometheus reads this port, and not the one named http as well.
        platform-ops/scrape-port: metrics
        {{- end }}
        {{- if .Values.sidecars }}
        # Of several containers, kubectl logs and kubectl exec take this one.
        kubectl.kubernetes.io/default-container: {{ .Chart.Name }}
        {{- end }}
        {{- with .Values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- include "common.podSpec" . | nindent 6 }}
{{- end }}
