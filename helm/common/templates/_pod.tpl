{{/* The pod meets the Pod Security Standard "restricted". None of that is a value: no environment may loosen it. */}}
{{- define "common.podSpec" -}}
serviceAccountName: {{ .Chart.Name }}
automountServiceAccountToken: false
# Otherwise every Service of the namespace adds variables (CORE_GO_PORT=tcp://...) to every pod that starts after it.
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  seccompProfile:
    type: RuntimeDefault
terminationGracePeriodSeconds: {{ include "common.gracePeriodSeconds" . }}
topologySpreadConstraints:
  # A wish, not a demand: on a single node the pods share it instead of staying Pending.
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "common.selectorLabels" . | nindent 8 }}
    # Counts the pods of one revision only, so that those about to go don't push the new ones aside.
    matchLabelKeys:
      - pod-template-hash
containers:
  {{- include "common.container" . | nindent 2 }}
volumes:
  - name: tmp
    emptyDir:
      sizeLimit: {{ .Values.tmpSizeLimit }}
{{- end }}

{{/* The drain is part of the grace period: a longer one would be cut off, and the program killed with it. */}}
{{- define "common.gracePeriodSeconds" -}}
{{- $grace := int .Values.shutdown.gracePeriodSeconds -}}
{{- if ge (int .Values.shutdown.drainSeconds) $grace -}}
{{- fail (printf "%s: shutdown.drainSeconds must be less than shutdown.gracePeriodSeconds (%d)." .Chart.Name $grace) -}}
{{- end -}}
{{- $grace -}}
{{- end }}
