{{/* None of the services talks to the Kubernetes API. An account of its own keeps rights given to "default" away. */}}
{{- define "common.serviceaccount" -}}
{{- $account := .Values.serviceAccount | default dict -}}
{{- if ne (toString $account.create) "false" -}}
apiVersion: v1
kind: ServiceAccount
{{ include "common.metadataOf" (list . $account) }}
automountServiceAccountToken: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{- define "common.serviceAccountName" -}}
{{- $account := .Values.serviceAccount | default dict -}}
{{- if and (eq (toString $account.create) "false") (not $account.name) -}}
{{- fail (printf "%s: serviceAccount.create is false, so serviceAccount.name has to name an account that exists." .Chart.Name) -}}
{{- end -}}
{{ $account.name | default (include "common.fullname" .) }}
{{- end }}
