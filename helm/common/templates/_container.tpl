{{- define "common.container" -}}
- name: {{ .Chart.Name }}
  image: {{ include "common.image" . | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  ports:
    # The protocol is the default, stated all the same: a port is keyed by number and protocol in a server-side apply.
    - name: {{ .Values.container.portName }}
      containerPort: {{ int .Values.container.port }}
      protocol: TCP
  envFrom:
    - configMapRef:
        name: {{ .Chart.Name }}
    {{- if .Values.sealedSecret.enabled }}
    - secretRef:
        name: {{ .Chart.Name }}
    {{- end }}
  resources:
    {{- toYaml .Values.resources | nindent 4 }}
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities:
      drop:
        - ALL
  {{- include "common.probes" . | nindent 2 }}
  lifecycle:
    preStop:
      # Endpoints are withdrawn while the pod is told to stop, not before. The kubelet itself waits here, as the image
      # has no shell to sleep in; until then the program goes on answering.
      sleep:
        seconds: {{ int .Values.shutdown.drainSeconds }}
  # The last lines of the log become the reason in the pod's status when a program dies without saying why.
  terminationMessagePolicy: FallbackToLogsOnError
  volumeMounts:
    - name: tmp
      mountPath: /tmp
{{- end }}

{{/* Startup gives a slow start a minute and sees a quick one at once. The other two begin after it. */}}
{{- define "common.probes" -}}
startupProbe:
  {{- include "common.probeRequest" . | nindent 2 }}
  periodSeconds: 1
  timeoutSeconds: 2
  failureThreshold: 60
# Lenient: a restart helps against a deadlock only, and hurts a program that is merely busy.
livenessProbe:
  {{- include "common.probeRequest" . | nindent 2 }}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  {{- include "common.probeRequest" . | nindent 2 }}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 3
{{- end }}

{{- define "common.probeRequest" -}}
httpGet:
  path: {{ .Values.container.healthPath }}
  port: {{ .Values.container.portName }}
{{- end }}
