import type { Exec } from '../../../../lib/exec.ts';

/** The kinds of Kubernetes that have a schema: those that the repository uses, and those that are likely to be added. */
export const kubernetesKinds: Readonly<Record<string, readonly string[]>> = {
  v1: [
    ...['ConfigMap', 'LimitRange', 'Namespace', 'PersistentVolumeClaim', 'Pod', 'ResourceQuota', 'Secret', 'Service'],
    'ServiceAccount',
  ],
  'apps/v1': ['DaemonSet', 'Deployment', 'StatefulSet'],
  'autoscaling/v2': ['HorizontalPodAutoscaler'],
  'batch/v1': ['CronJob', 'Job'],
  'networking.k8s.io/v1': ['Ingress', 'IngressClass', 'NetworkPolicy'],
  'policy/v1': ['PodDisruptionBudget'],
  'rbac.authorization.k8s.io/v1': ['ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding'],
  'scheduling.k8s.io/v1': ['PriorityClass'],
  'storage.k8s.io/v1': ['StorageClass'],
  'apiregistration.k8s.io/v1': ['APIService'],
  'apiextensions.k8s.io/v1': ['CustomResourceDefinition'],
  'admissionregistration.k8s.io/v1': [
    ...['MutatingWebhookConfiguration', 'ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding'],
    'ValidatingWebhookConfiguration',
  ],
};

/** The files of custom resource definitions, by the module that they are in. */
export const customResources = {
  argoCd: ['manifests/crds/application-crd.yaml', 'manifests/crds/appproject-crd.yaml'],
  sealedSecrets: ['helm/sealed-secrets/crds/bitnami.com_sealedsecrets.yaml'],
  gatewayApi: ['config/crd/standard/gateway.networking.k8s.io_httproutes.yaml'],
  prometheusOperator: ['podmonitors', 'prometheusrules', 'servicemonitors'].map(
    (name) => `example/prometheus-operator-crd/monitoring.coreos.com_${name}.yaml`,
  ),
} as const;

/** The Go modules that the schemas come from. Go's checksum database vouches for each. */
export const modules = {
  // The newest patch of the node image's minor version that the module proxy has; fields don't change within a minor.
  kubernetes: 'k8s.io/kubernetes@v1.36.3',
  argoCd: 'github.com/argoproj/argo-cd/v3@v3.5.7',
  gatewayApi: 'sigs.k8s.io/gateway-api@v1.4.0',
  sealedSecrets: 'github.com/bitnami-labs/sealed-secrets@v0.40.0',
  prometheusOperator: 'github.com/prometheus-operator/prometheus-operator@v0.85.0',
} as const;

type ModuleName = keyof typeof modules;

/** Fetches a module and returns its folder. Throws `CommandError` where there is no Go or no network. */
export async function fetchModule(exec: Exec, name: ModuleName): Promise<string> {
  const { stdout } = await exec(['go', 'mod', 'download', '-json', modules[name]]);
  return (JSON.parse(stdout) as { Dir: string }).Dir;
}
