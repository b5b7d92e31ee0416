{{- define "common.service" -}}
{{- $portName := .Values.container.portName -}}
apiVersion: v1
kind: Service
{{ include "common.metadataOf" (list . (pick .Values.service "annotations" "labels")) }}
spec:
  type: {{ .Values.service.type }}
  {{- with .Values.service.sessionAffinity }}
  sessionAffinity: {{ . }}
  {{- end }}
  selector:
    {{- include "common.selectorLabels" . | nindent 4 }}
  ports:
    - name: {{ $portName }}
      port: {{ int .Values.service.port }}
      # By name: the program may move to another port without a change here.
      targetPort: {{ $portName }}
      protocol: TCP
    {{- with .Values.container.metricsPort }}
    - name: metrics
      port: {{ int . }}
      targetPort: metrics
      protocol: TCP
    {{- end }}
    {{- range .Values.service.extraPorts }}
    - name: {{ .name }}
      port: {{ int .port }}
      targetPort: {{ .targetPort | default .name }}
      protocol: {{ .protocol | default "TCP" }}
    {{- end }}
{{- end }}
