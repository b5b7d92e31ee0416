{{/* None of the services talks to the Kubernetes API. An account of its own keeps rights given to "default" away. */}}
{{- define "common.serviceaccount" -}}
apiVersion: v1
kind: ServiceAccount
{{ include "common.metadata" . }}
automountServiceAccountToken: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
