{{/* For clusters with the Prometheus Operator. The local Prometheus finds the pods by their labels instead. */}}
{{- define "common.servicemonitor" -}}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
{{ include "common.metadataOf" (list . (pick .Values.serviceMonitor "labels")) }}
spec:
  jobLabel: app.kubernetes.io/name
  selector:
    matchLabels:
      {{- include "common.selectorLabels" . | nindent 6 }}
  endpoints:
    - port: {{ if .Values.container.metricsPort }}metrics{{ else }}{{ .Values.container.portName }}{{ end }}
      path: /metrics
      interval: {{ .Values.serviceMonitor.interval }}
      # The labels by which the dashboards and rules ask, from where the local Prometheus takes them. The Operator adds job, namespace
      # and pod by itself; of its own, `service` is the name of the Service, which may be another one.
      relabelings:
        - {sourceLabels: [__meta_kubernetes_pod_label_app_kubernetes_io_name], targetLabel: service}
        - {sourceLabels: [__meta_kubernetes_pod_label_app_kubernetes_io_version], targetLabel: version}
      metricRelabelings:
        {{- range $code, $phrase := include "common.statusPhrases" . | fromYaml }}
        - {sourceLabels: [status], regex: {{ $phrase | quote }}, targetLabel: status, replacement: {{ $code | quote }}}
        {{- end }}
{{- end }}

{{/* Reason phrases, as regular expressions. The rules match numbers, and core-go labels its requests with the phrase. The same list
as in observability/prometheus/config/prometheus.yml. */}}
{{- define "common.statusPhrases" -}}
100: Continue
101: Switching Protocols
102: Processing
103: Early Hints
200: OK
201: Created
202: Accepted
203: Non-Authoritative Information
204: No Content
205: Reset Content
206: Partial Content
207: Multi-Status
208: Already Reported
226: IM Used
300: Multiple Choices
301: Moved Permanently
302: Found
303: See Other
304: Not Modified
305: Use Proxy
307: Temporary Redirect
308: Permanent Redirect
400: Bad Request
401: Unauthorized
402: Payment Required
403: Forbidden
404: Not Found
405: Method Not Allowed
406: Not Acceptable
407: Proxy Authentication Required
408: Request Timeout
409: Conflict
410: Gone
411: Length Required
412: Precondition Failed
413: (Request Entity|Payload|Content) Too Large
414: (Request )?URI Too Long
415: Unsupported Media Type
416: (Requested )?Range Not Satisfiable
417: Expectation Failed
418: "I'm a [Tt]eapot"
421: Misdirected Request
422: Unprocessable (Entity|Content)
423: Locked
424: Failed Dependency
425: Too Early
426: Upgrade Required
428: Precondition Required
429: Too Many Requests
431: Request Header Fields Too Large
451: Unavailable For Legal Reasons
500: Internal Server Error
501: Not Implemented
502: Bad Gateway
503: Service Unavailable
504: Gateway Timeout
505: HTTP Version Not Supported
506: Variant Also Negotiates
507: Insufficient Storage
508: Loop Detected
509: Bandwidth Limit Exceeded
510: Not Extended
511: Network Authentication Required
{{- end }}
