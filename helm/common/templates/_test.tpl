{{- define "common.testName" -}}
{{ include "common.fullname" . }}-test
{{- end }}

{{/*
What `helm test` runs after a `helm install`: asks the Service, as another pod of the namespace would. Argo CD has no such
hook and leaves this pod alone. Its labels are not those that the Service selects, or it would be asked itself.
*/}}
{{- define "common.test" -}}
apiVersion: v1
kind: Pod
metadata:
  name: {{ include "common.testName" . }}
  labels:
    app.kubernetes.io/name: {{ include "common.testName" . }}
    app.kubernetes.io/instance: {{ .Release.Name | quote }}
    app.kubernetes.io/component: test
    app.kubernetes.io/managed-by: {{ .Release.Service }}
    {{- with .Values.commonLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    {{- with .Values.commonAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    helm.sh/hook: test
    # A failed one stays, for its log, until the next test.
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  restartPolicy: Never
  activeDeadlineSeconds: 120
  automountServiceAccountToken: false
  enableServiceLinks: false
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: ask
      image: {{ .Values.tests.image }}
      imagePullPolicy: IfNotPresent
      command:
        - node
        - --input-type=module
        - --eval
        - |
          // Patient: network policies let a new pod through only after a moment.
          const deadline = Date.now() + 60_000;
          const ask = async (path) => {
            const answer = await fetch(`http://{{ include "common.fullname" . }}:{{ int .Values.service.port }}${path}`, { signal: AbortSignal.timeout(5_000) });
            const text = `${path} answers ${answer.status}: ${(await answer.text()).slice(0, 200)}`;
            if (!answer.ok) throw new Error(text);
            console.log(text);
          };
          for (const path of process.argv.slice(1)) {
            for (;;) {
              try {
                await ask(path);
                break;
              } catch (error) {
                console.log(`${path}: ${error.cause?.message ?? error.message}`);
                if (Date.now() > deadline) process.exit(1);
                await new Promise((resume) => setTimeout(resume, 1_000));
              }
            }
          }
      args:
        {{- toYaml .Values.tests.paths | nindent 8 }}
      resources:
        requests:
          cpu: 10m
          memory: 64Mi
          ephemeral-storage: 16Mi
        limits:
          cpu: 500m
          memory: 128Mi
          ephemeral-storage: 64Mi
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop:
            - ALL
{{- end }}
