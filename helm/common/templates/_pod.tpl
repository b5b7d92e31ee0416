{{/* The pod meets the Pod Security Standard "restricted", unless podSecurityContext or securityContext say otherwise. */}}
{{- define "common.podSpec" -}}
{{- $account := .Values.serviceAccount | default dict -}}
serviceAccountName: {{ include "common.serviceAccountName" . }}
automountServiceAccountToken: {{ $account.automount | default false }}
# Otherwise every Service of the namespace adds variables (CORE_GO_PORT=tcp://...) to every pod that starts after it.
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  {{- $restricted := dict "runAsNonRoot" true "runAsUser" 65532 "runAsGroup" 65532 "seccompProfile" (dict "type" "RuntimeDefault") }}
  {{- include "common.overlay" (list $restricted .Values.podSecurityContext) | nindent 2 }}
terminationGracePeriodSeconds: {{ include "common.gracePeriodSeconds" . }}
{{- with include "common.spreadConstraints" . }}
topologySpreadConstraints:
  {{- . | nindent 2 }}
{{- end }}
{{- range $field := list "nodeSelector" "tolerations" "affinity" }}
{{- with index $.Values $field }}
{{ $field }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- with .Values.initContainers }}
initContainers:
  {{- include "common.addedContainers" . | nindent 2 }}
{{- end }}
containers:
  {{- include "common.container" . | nindent 2 }}
  {{- with .Values.sidecars }}
  {{- include "common.addedContainers" . | nindent 2 }}
  {{- end }}
volumes:
  - name: tmp
    emptyDir:
      sizeLimit: {{ .Values.tmpSizeLimit }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* Those of the values, each with the pods of this service where it does not say which; or one that spreads them over nodes. */}}
{{- define "common.spreadConstraints" -}}
{{- $own := dict "labelSelector" (dict "matchLabels" (include "common.selectorLabels" . | fromYaml)) -}}
{{- if hasKey .Values "topologySpreadConstraints" -}}
{{- range .Values.topologySpreadConstraints }}
- {{ include "common.overlay" (list (hasKey . "labelSelector" | ternary dict $own) .) | nindent 2 | trim }}
{{- end }}
{{- else -}}
# A wish, not a demand: on a single node the pods share it instead of staying Pending.
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "common.selectorLabels" . | nindent 6 }}
  # Counts the pods of one revision only, so that those about to go don't push the new ones aside.
  matchLabelKeys:
    - pod-template-hash
{{- end }}
{{- end }}

{{/* Containers of the values. What they do not say of their security context is what the program's own container has. */}}
{{- define "common.addedContainers" -}}
{{- range . }}
- {{ include "common.overlay" (list (dict "securityContext" (include "common.restricted" . | fromYaml)) .) | nindent 2 | trim }}
{{- end }}
{{- end }}

{{- define "common.restricted" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop:
    - ALL
{{- end }}

{{/* The drain is part of the grace period: a longer one would be cut off, and the program killed with it. */}}
{{- define "common.gracePeriodSeconds" -}}
{{- $grace := int .Values.shutdown.gracePeriodSeconds -}}
{{- if ge (int .Values.shutdown.drainSeconds) $grace -}}
{{- fail (printf "%s: shutdown.drainSeconds must be less than shutdown.gracePeriodSeconds (%d)." .Chart.Name $grace) -}}
{{- end -}}
{{- $grace -}}
{{- end }}
