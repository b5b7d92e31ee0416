# Makes other services of the shipped ones: two are renamed, one of them with its image and into a namespace of its own, one is
# removed, and one is added that was written by hand, without the library and with names of its own. Beside them are sources of
# other kinds; the repository of charts is at $1.
set -e
rename() { git mv helm/$1 helm/$2; git mv argocd/$1.yaml argocd/$2.yaml; sed -i "s#\b$1\b#$2#g" helm/$2/Chart.yaml argocd/$2.yaml; }
rename api-node gateway; rename core-go backend
git rm -rq helm/worker-python argocd/worker-python.yaml
# The variables name the other service. gateway keeps its image; backend's is renamed as well.
sed -i 's#http://core-go:8080#http://backend.internal:8080#; s#- name: core-go$#- name: backend\n      namespace: internal#' helm/gateway/values.yaml
sed -i 's#zainasr/core-go#zainasr/backend#; s#^    - api-node#    - {name: gateway, namespace: default}#' helm/backend/values.yaml
sed -i 's#namespace: default#namespace: internal#; s#- ServerSideApply=true#- ServerSideApply=true\n      - CreateNamespace=true#' argocd/backend.yaml
sed -i '0,/      namespace: default/s##      namespace: default\n    - server: https://kubernetes.default.svc\n      namespace: internal#' argocd/project.yaml
sed -i "s#  sourceRepos:#  sourceRepos:\n    - $1#" argocd/project.yaml
# By hand: no library, its own names and labels, an image that is not named in the usual way.
mkdir -p helm/fourth/templates
printf 'apiVersion: v2\nname: fourth\nversion: 0.1.0\ntype: application\n' > helm/fourth/Chart.yaml
cat > helm/fourth/templates/all.yaml <<'Y'
apiVersion: apps/v1
kind: Deployment
metadata:
  name: fourth-web
spec:
  replicas: 1
  selector: {matchLabels: {app: fourth}}
  template:
    metadata: {labels: {app: fourth}}
    spec:
      containers:
        - name: web
          image: docker.io/library/node:22-alpine
          command: [node, -e, "require('http').createServer((q,r)=>r.end('hi')).listen(8000)"]
          ports: [{name: http, containerPort: 8000}]
          resources: {requests: {cpu: 5m, memory: 16Mi}}
---
apiVersion: v1
kind: Service
metadata: {name: fourth}
spec:
  selector: {app: fourth}
  ports: [{name: http, port: 80, targetPort: http}]
Y
sed -e 's#gateway#fourth#g' -e '/valueFiles/,/values-prod.yaml/d' argocd/gateway.yaml > argocd/fourth.yaml
# Other sources, all of them of ConfigMaps: one folder, two in one Application, a chart of a Helm repository, a generated one.
folder() {
  mkdir -p extras/$1
  printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {from: git}\n' $1 > extras/$1/it.yaml
}
for name in one two three generated; do folder $name; done
ours='repoURL: https://github.com/zainasr/platform-ops.git, targetRevision: main'
spec() {
  printf '  project: platform\n  destination: {server: "https://kubernetes.default.svc", namespace: default}\n'
  printf '  syncPolicy: {automated: {prune: true, selfHeal: true}}\n'
}
application() {
  printf 'apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: %s\n' $1
  printf '  finalizers: [resources-finalizer.argocd.argoproj.io]\nspec:\n'
  spec
}
{ application folder; echo "  source: {$ours, path: ./extras/one/, directory: {recurse: true}, kustomize: {}}"; } > argocd/folder.yml
{ application several; printf '  sources:\n    - {%s, path: extras/two}\n    - {%s, path: extras/three}\n' "$ours" "$ours"; } > argocd/several.yaml
{ application released; echo "  source: {repoURL: '$1', chart: released, targetRevision: 0.1.0}"; } > argocd/released.yaml
{
  printf 'apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: set}\nspec:\n'
  printf '  goTemplate: true\n  generators: [{list: {elements: [{name: generated}]}}]\n  template:\n    metadata:\n'
  printf '      name: "{{.name}}"\n      finalizers: [resources-finalizer.argocd.argoproj.io]\n    spec:\n'
  { spec; echo "  source: {$ours, path: 'extras/{{.name}}'}"; } | sed 's/^/    /'
} > argocd/set.yaml
printf '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "by-hand"}, "data": {"a": "b"}}\n' > argocd/settings.json
git add -A; git commit -qm "Other services, other sources"
