{{- define "common.ingress" -}}
apiVersion: networking.k8s.io/v1
kind: Ingress
{{ include "common.metadataOf" (list . (pick .Values.ingress "annotations")) }}
spec:
  ingressClassName: {{ .Values.ingress.className }}
  {{- with .Values.ingress.tls }}
  tls:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  rules:
    {{- range .Values.ingress.hosts }}
    - host: {{ .host | quote }}
      http:
        paths:
          {{- range .paths }}
          - path: {{ .path }}
            pathType: {{ .pathType }}
            backend:
              service:
                name: {{ include "common.fullname" $ }}
                port:
                  name: {{ $.Values.container.portName }}
          {{- end }}
    {{- end }}
{{- end }}
