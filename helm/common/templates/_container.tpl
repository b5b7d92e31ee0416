{{- define "common.container" -}}
- name: {{ .Chart.Name }}
  image: {{ include "common.image" . | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  {{- with .Values.command }}
  command:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.args }}
  args:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  ports:
    # The protocol is the default, stated all the same: a port is keyed by number and protocol in a server-side apply.
    - name: {{ .Values.container.portName }}
      containerPort: {{ int .Values.container.port }}
      protocol: TCP
    {{- with .Values.container.metricsPort }}
    - name: metrics
      containerPort: {{ int . }}
      protocol: TCP
    {{- end }}
    {{- range .Values.container.extraPorts }}
    - name: {{ .name }}
      containerPort: {{ int .containerPort }}
      protocol: {{ .protocol | default "TCP" }}
    {{- end }}
  {{- with .Values.extraEnv }}
  env:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  envFrom:
    - configMapRef:
        name: {{ include "common.fullname" . }}
    {{- if .Values.sealedSecret.enabled }}
    - secretRef:
        name: {{ include "common.fullname" . }}
    {{- end }}
    {{- with .Values.envFrom }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  resources:
    {{- /* A limit of null is none. */}}
    {{- $limits := include "common.overlay" (list dict .Values.resources.limits) | fromYaml }}
    {{- toYaml (dict "requests" .Values.resources.requests "limits" $limits) | nindent 4 }}
  securityContext:
    {{- include "common.overlay" (list (include "common.restricted" . | fromYaml) .Values.securityContext) | nindent 4 }}
  {{- with include "common.probes" . }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with include "common.lifecycle" . }}
  lifecycle:
    {{- . | nindent 4 }}
  {{- end }}
  # The last lines of the log become the reason in the pod's status when a program dies without saying why.
  terminationMessagePolicy: FallbackToLogsOnError
  volumeMounts:
    - name: tmp
      mountPath: /tmp
    {{- with .Values.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{/*
Endpoints are withdrawn while the pod is told to stop, not before. The kubelet itself waits here, as the image has no shell to
sleep in; until then the program goes on answering. Kubernetes knows that kind of sleep from 1.30 on (PodLifecycleSleepAction).
*/}}
{{- define "common.lifecycle" -}}
{{- $hooks := dict -}}
{{- if semverCompare ">=1.30-0" .Capabilities.KubeVersion.Version -}}
{{- $_ := set $hooks "preStop" (dict "sleep" (dict "seconds" (int .Values.shutdown.drainSeconds))) -}}
{{- end -}}
{{- range $hook, $handler := .Values.lifecycle -}}
{{- $_ := set $hooks $hook $handler -}}
{{- end -}}
{{- if $hooks -}}
{{- toYaml $hooks -}}
{{- end -}}
{{- end }}

{{/* Startup gives a slow start a minute and sees a quick one at once. The other two begin after it. */}}
{{- define "common.probeTimings" -}}
startup:
  periodSeconds: 1
  timeoutSeconds: 2
  failureThreshold: 60
# Lenient: a restart helps against a deadlock only, and hurts a program that is merely busy.
liveness:
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readiness:
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 3
{{- end }}

{{/* Each asks container.healthPath by HTTP, unless `probes` has another way for it, or other timings. */}}
{{- define "common.probes" -}}
{{- $ways := list "httpGet" "tcpSocket" "grpc" "exec" -}}
{{- $container := .Values.container -}}
{{- $defaults := dict "httpGet" (dict "path" $container.healthPath "port" $container.portName) "tcpSocket" (dict "port" $container.portName) "grpc" (dict "port" (int $container.port)) -}}
{{- $probes := dict -}}
{{- range $name, $timings := include "common.probeTimings" . | fromYaml -}}
{{- $own := get ($.Values.probes | default dict) $name | default dict -}}
{{- $way := "httpGet" -}}
{{- range $ways -}}
{{- if hasKey $own . -}}
{{- $way = . -}}
{{- end -}}
{{- end -}}
{{- $asked := dict $way (include "common.overlay" (list (get $defaults $way) (get $own $way)) | fromYaml) -}}
{{- $probe := include "common.overlay" (list $timings (omit $own "enabled" "httpGet" "tcpSocket" "grpc" "exec")) | fromYaml -}}
{{- if ne (toString $own.enabled) "false" -}}
{{- $_ := set $probes (printf "%sProbe" $name) (merge $asked $probe) -}}
{{- end -}}
{{- end -}}
{{- if $probes -}}
{{- toYaml $probes -}}
{{- end -}}
{{- end }}
