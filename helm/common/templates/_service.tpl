{{- define "common.service" -}}
apiVersion: v1
kind: Service
{{ include "common.metadata" . }}
spec:
  type: {{ .Values.service.type }}
  selector:
    {{- include "common.selectorLabels" . | nindent 4 }}
  ports:
    - name: {{ .Values.container.portName }}
      port: {{ int .Values.service.port }}
      # By name: the program may move to another port without a change here.
      targetPort: {{ .Values.container.portName }}
      protocol: TCP
{{- end }}
