{{/*
CI writes the tag without quotes. A SHA of digits alone (1234567), of digits around one e (12e4567) or with a leading
0b can be a number to YAML, and would come out as another text than the one that CI pushed. What it was can't be told
from the number, so rendering stops here. The schema says the same; this holds where validation is skipped.
*/}}
{{- define "common.tag" -}}
{{- $tag := .Values.image.tag -}}
{{- if not $tag -}}
{{- fail (printf "%s: image.tag is empty. Write the tag of a pushed image, in quotes, in helm/%s/values.yaml." .Chart.Name .Chart.Name) -}}
{{- end -}}
{{- if not (kindIs "string" $tag) -}}
{{- fail (printf "%s: YAML reads image.tag as a number, not as text. Put the tag in quotes in helm/%s/values.yaml." .Chart.Name .Chart.Name) -}}
{{- end -}}
{{- $tag -}}
{{- end }}

{{- define "common.image" -}}
{{ .Values.image.repository }}:{{ include "common.tag" . }}
{{- end }}
