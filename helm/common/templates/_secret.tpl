{{/*
Git never holds a Secret, only what kubeseal made of it. The sealed-secrets controller in the cluster is the one that
can decrypt it, and makes the Secret of the same name that the pod reads its variables from.
*/}}
{{- define "common.secret" -}}
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
{{ include "common.metadata" . }}
spec:
  encryptedData:
    {{- toYaml .Values.sealedSecret.encryptedData | nindent 4 }}
  template:
    metadata:
      name: {{ include "common.fullname" . }}
      labels:
        {{- include "common.labels" . | nindent 8 }}
    type: Opaque
{{- end }}
