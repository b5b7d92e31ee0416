{{/* What helm prints after an install or an upgrade by hand. Argo CD does not. */}}
{{- define "common.notes" -}}
{{- $name := include "common.fullname" . -}}
{{ .Chart.Name }} {{ include "common.tag" . }} is installed in the namespace {{ .Release.Namespace }}.

Wait for its pods:

    kubectl --namespace {{ .Release.Namespace }} rollout status deployment/{{ $name }}

Ask it, then open http://localhost:{{ int .Values.service.port }}{{ .Values.container.healthPath }}:

    kubectl --namespace {{ .Release.Namespace }} port-forward service/{{ $name }} {{ int .Values.service.port }}
{{- if (.Values.ingress).enabled }}

The Ingress answers for:
{{- range .Values.ingress.hosts }} {{ .host }}{{ end }}
{{- end }}

Test it:

    helm --namespace {{ .Release.Namespace }} test {{ .Release.Name }}
{{- end }}
