{{/*
Who may talk to the pods, and to whom they may talk. As soon as a policy selects a pod, whatever it does not name is
refused. Replies need no rule, nor do the kubelet's probes. It takes a network plugin that enforces policies: kind's does,
and so do the clouds' once asked to.
*/}}
{{- define "common.networkpolicy" -}}
{{- with .Values.networkPolicy -}}
{{- $namespaces := .fromNamespaces.prometheus -}}
{{- if ($.Values.ingress).enabled -}}
{{- $namespaces = concat .fromNamespaces.ingressController $namespaces -}}
{{- end -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
{{ include "common.metadata" $ }}
spec:
  podSelector:
    matchLabels:
      {{- include "common.selectorLabels" $ | nindent 6 }}
  policyTypes:
    - Ingress
    - Egress
  ingress:
    - from:
        # Prometheus, which reads the metrics, and the ingress controller where there is an Ingress.
        - namespaceSelector:
            matchExpressions:
              - key: kubernetes.io/metadata.name
                operator: In
                values:
                  {{- toYaml $namespaces | nindent 18 }}
        # The services of this namespace that call it, and the pod of `helm test`.
        - podSelector:
            matchExpressions:
              - key: app.kubernetes.io/name
                operator: In
                values:
                  {{- range .fromServices }}
                  {{- if kindIs "string" . }}
                  - {{ . }}
                  {{- end }}
                  {{- end }}
                  - {{ include "common.testName" $ }}
        {{- range .fromServices }}
        {{- if kindIs "map" . }}
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: {{ .namespace }}
          podSelector:
            matchLabels:
              app.kubernetes.io/name: {{ .name }}
        {{- end }}
        {{- end }}
      ports:
        - port: {{ $.Values.container.portName }}
          protocol: TCP
        {{- range $.Values.container.extraPorts }}
        - port: {{ .name }}
          protocol: {{ .protocol | default "TCP" }}
        {{- end }}
    {{- if $.Values.container.metricsPort }}
    # The port with the metrics is Prometheus' alone.
    - from:
        - namespaceSelector:
            matchExpressions:
              - key: kubernetes.io/metadata.name
                operator: In
                values:
                  {{- toYaml .fromNamespaces.prometheus | nindent 18 }}
      ports:
        - port: metrics
          protocol: TCP
    {{- end }}
    {{- with .extraIngress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  egress:
    # Names are resolved by CoreDNS, which carries this label in every distribution.
    - to:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: kube-system
          podSelector:
            matchLabels:
              k8s-app: kube-dns
      ports:
        - port: 53
          protocol: UDP
        - port: 53
          protocol: TCP
    {{- range .toServices }}
    - to:
        - podSelector:
            matchLabels:
              app.kubernetes.io/name: {{ .name }}
          {{- with .namespace }}
          namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: {{ . }}
          {{- end }}
      ports:
        - port: {{ int .port }}
          protocol: TCP
    {{- end }}
    {{- with .extraEgress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end }}
