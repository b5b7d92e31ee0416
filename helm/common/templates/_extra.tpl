{{/*
Whole manifests of the values, for what no value covers. Each is a template, as a map or as a text, and gets the labels that
say whose it is; what it says itself wins. Not the label that selects the service's pods: a Pod among them would be sent requests.
*/}}
{{- define "common.extraObjects" -}}
{{- $labels := omit (include "common.labels" . | fromYaml) "app.kubernetes.io/name" "app.kubernetes.io/version" -}}
{{- range $index, $written := .Values.extraObjects }}
{{- $text := tpl (kindIs "string" $written | ternary $written (toYaml $written)) $ -}}
{{- $object := fromYaml $text -}}
{{- if or (not $object.kind) (regexMatch "(?m)^---" (trimPrefix "---" $text)) -}}
{{- fail (printf "%s: extraObjects[%d] has to be one manifest, with apiVersion, kind and metadata. %s" $.Chart.Name $index ($object.Error | default "")) -}}
{{- end -}}
{{- $common := dict "labels" (include "common.overlay" (list $labels $.Values.commonLabels) | fromYaml) -}}
{{- with $.Values.commonAnnotations -}}
{{- $_ := set $common "annotations" . -}}
{{- end }}
---
{{ include "common.overlay" (list (dict "metadata" $common) $object) }}
{{- end }}
{{- end }}
