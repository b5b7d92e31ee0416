/** The kinds of Kubernetes that have a schema: those that the repository uses, and those that a person adds next. */
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
  prometheusOperator: ['podmonitors', 'prometheusrules', 'servicemonitors'].map(
    (name) => `example/prometheus-operator-crd/monitoring.coreos.com_${name}.yaml`,
  ),
} as const;
