{{- define "common.deployment" -}}
apiVersion: apps/v1
kind: Deployment
{{ include "common.metadata" . }}
spec:
  {{- if not .Values.autoscaling.enabled }}
  {{- /* Under an HPA the field stays unstated: Argo CD would set it back each time that the HPA changes it. */}}
  replicas: {{ int .Values.replicaCount }}
  {{- end }}
  revisionHistoryLimit: 3
  strategy:
    type: RollingUpdate
    rollingUpdate:
      # A new pod is ready before an old one goes: one replica is enough for a rollout without a gap.
      maxUnavailable: 0
      maxSurge: 1
  selector:
    matchLabels:
      {{- include "common.selectorLabels" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "common.podLabels" . | nindent 8 }}
      annotations:
        # A pod reads its environment once, at its start. The hash changes the pod template with it, which rolls the pods.
        checksum/config: {{ include "common.environment" . | sha256sum }}
        {{- if .Values.sealedSecret.enabled }}
        checksum/secret: {{ toJson .Values.sealedSecret.encryptedData | sha256sum }}
        {{- end }}
    spec:
      {{- include "common.podSpec" . | nindent 6 }}
{{- end }}
