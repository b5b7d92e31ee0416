{{/*
Two labels that never change select the pods of one service: a Deployment's selector is immutable, so nothing that
varies between releases may be part of it. The rest describes, and is free to change.

Every object is named after its chart, not after its release: api-node finds core-go as http://core-go:8080. With
fullnameOverride it has another name; the label app.kubernetes.io/name still says which service it is of.
*/}}

{{- define "common.fullname" -}}
{{ .Values.fullnameOverride | default .Chart.Name }}
{{- end }}

{{- define "common.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* Prometheus keeps the pods that are part of the platform; dashboards tell builds apart by the version. */}}
{{- define "common.podLabels" -}}
{{ include "common.selectorLabels" . }}
app.kubernetes.io/part-of: platform
app.kubernetes.io/version: {{ include "common.tag" . | quote }}
{{- end }}

{{/* The chart's version is no label of a pod: with it, a change of the chart alone would restart every pod. */}}
{{- define "common.labels" -}}
{{ include "common.podLabels" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "common.metadata" -}}
{{- include "common.metadataOf" (list . dict) -}}
{{- end }}

{{/*
Of an object that has labels and annotations of its own, or another name: a list of the context and a map of these. No
namespace: the one who installs the chart decides it, in production Argo CD's destination.
*/}}
{{- define "common.metadataOf" -}}
{{- $root := first . -}}
{{- $own := last . -}}
metadata:
  name: {{ $own.name | default (include "common.fullname" $root) }}
  labels:
    {{- include "common.labels" $root | nindent 4 }}
    {{- include "common.overlay" (list $root.Values.commonLabels $own.labels) | nindent 4 }}
  {{- with include "common.overlay" (list $root.Values.commonAnnotations $own.annotations) }}
  annotations:
    {{- . | nindent 4 }}
  {{- end }}
{{- end }}

{{/*
Two maps as YAML, the second laid over the first key by key, as Helm lays values over each other: false and 0 count, and null
takes a key away. Sprig's merge passes over the first two, its mergeOverwrite over the third. Nothing, where nothing is left.
*/}}
{{- define "common.overlay" -}}
{{- $result := deepCopy (first . | default dict) -}}
{{- range $key, $value := last . | default dict -}}
{{- $below := get $result $key -}}
{{- if kindIs "invalid" $value -}}
{{- $_ := unset $result $key -}}
{{- else if and (kindIs "map" $value) (kindIs "map" $below) -}}
{{- $_ := set $result $key (include "common.overlay" (list $below $value) | fromYaml) -}}
{{- else -}}
{{- $_ := set $result $key $value -}}
{{- end -}}
{{- end -}}
{{- if $result -}}
{{- toYaml $result -}}
{{- end -}}
{{- end }}
