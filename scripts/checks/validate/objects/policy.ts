import { secretPatterns } from '../../../lib/secret.ts';
import { productionFolder } from '../../../repository/registrations.ts';
import type { Finding } from '../../../repository/rendering/finding.ts';
import type { Repository, ValidationCheck } from '../../../repository/rendering/repository.ts';
import { checkObjects, type Fields, listOf, type ObjectRule, type RenderedPod, sentences } from './rule.ts';

/** A digest, a version of three numbers, or a commit: `latest`, `main` and `22-alpine` are others tomorrow. */
const pinned = /@sha256:[0-9a-f]{64}$|:[^:/]*\d+\.\d+\.\d+[^:/]*$|:[0-9a-f]{7,40}$/;

/** What every pod keeps to, the services' as well as the parts that carry them, and other objects: what kube-score doesn't know. */
export const policyRules: readonly ObjectRule[] = [
  {
    id: 'pod-host-namespaces',
    demands: 'No pod shares the network, the processes or the IPC of its node.',
    remedy: 'Leave hostNetwork, hostPID and hostIPC out.',
    *pod({ spec }) {
      for (const field of ['hostNetwork', 'hostPID', 'hostIPC'])
        if (spec[field] === true) yield [[field], 'the pod is not kept apart from its node.'];
    },
  },
  {
    id: 'pod-host-path',
    demands: 'No pod mounts a folder of its node.',
    remedy: 'Take an emptyDir, a ConfigMap or a PersistentVolumeClaim.',
    *pod({ spec }) {
      for (const [i, { hostPath }] of listOf(spec.volumes).entries())
        if (hostPath !== undefined) yield [['volumes', i, 'hostPath'], `it mounts ${hostPath?.path} of its node.`];
    },
  },
  {
    id: 'pod-token',
    demands: 'A pod carries a token of the Kubernetes API only with a ServiceAccount of its own.',
    remedy: 'Set automountServiceAccountToken: false, or name a serviceAccountName with the rights that it needs.',
    *pod({ spec }) {
      if (spec.automountServiceAccountToken !== false && (spec.serviceAccountName ?? 'default') === 'default')
        yield [[], 'it carries the token of the account "default".'];
    },
  },
  {
    id: 'service-pull-secrets',
    demands: 'A service names the Secrets that its image is pulled with.',
    remedy: 'List them under imagePullSecrets in values.yaml.',
    kinds: ['Deployment'],
    *pod({ spec, located }) {
      if (located.rendering !== undefined && !listOf(spec.imagePullSecrets).some(({ name }) => name))
        yield [['imagePullSecrets'], 'a private image could not be pulled.'];
    },
  },
  {
    id: 'pod-non-root',
    demands: 'A container runs as a numbered user who is not root.',
    remedy: 'Set runAsNonRoot: true and a numeric runAsUser above 0 in the securityContext.',
    container(fields, pod) {
      const { runAsNonRoot, runAsUser } = securityOf(fields, pod);
      if (runAsNonRoot === true && Number.isInteger(runAsUser) && runAsUser > 0) return undefined;
      return [['securityContext'], `runAsNonRoot is ${runAsNonRoot}, runAsUser ${runAsUser}.`];
    },
  },
  {
    id: 'pod-privilege-escalation',
    demands: 'A process of a container gets no more rights than it started with.',
    remedy: 'Set allowPrivilegeEscalation: false and leave privileged out.',
    container({ securityContext }) {
      const { allowPrivilegeEscalation, privileged } = securityContext ?? {};
      if (privileged === true) return [['securityContext'], 'the container is privileged.'];
      return allowPrivilegeEscalation === false
        ? undefined
        : [['securityContext'], 'it may gain rights while it runs.'];
    },
  },
  {
    id: 'pod-capabilities',
    demands: 'A container drops all capabilities, and adds none.',
    remedy: 'Set capabilities: {drop: [ALL]}.',
    container({ securityContext }) {
      const { drop, add } = securityContext?.capabilities ?? {};
      if (!listOf(drop).includes('ALL')) return [['securityContext'], 'it keeps capabilities that it does not need.'];
      if (listOf(add).length === 0) return undefined;
      return [['securityContext', 'capabilities', 'add'], `it adds ${listOf(add).join(', ')}.`];
    },
  },
  {
    id: 'pod-seccomp',
    demands: 'A container runs under the seccomp profile RuntimeDefault.',
    remedy: 'Set seccompProfile: {type: RuntimeDefault} in the securityContext of the pod.',
    container(fields, pod) {
      const type = securityOf(fields, pod).seccompProfile?.type;
      return type === 'RuntimeDefault' ? undefined : [[], `its seccomp profile is ${type ?? 'not set'}.`];
    },
  },
  {
    id: 'pod-image-pinned',
    demands: 'An image is pinned by a tag that stays the same, or by a digest.',
    remedy: 'Name a version: repository:v1.2.3, or the short SHA of a commit.',
    container: ({ image = '' }) =>
      pinned.test(image) ? undefined : [['image'], `${image || 'no image'} can be another one tomorrow.`],
  },
  {
    id: 'pod-host-port',
    demands: 'No container takes a port of its node.',
    remedy: 'Leave hostPort out: a Service leads to the container.',
    container({ ports }) {
      const i = listOf(ports).findIndex(({ hostPort }) => hostPort !== undefined);
      return i < 0 ? undefined : [['ports', i, 'hostPort'], `it takes port ${ports[i].hostPort} of its node.`];
    },
  },
  {
    id: 'ingress-rate-limit',
    demands: "An Ingress of a chart limits the rate of a client's requests.",
    remedy: 'Add the annotation nginx.ingress.kubernetes.io/limit-rps under ingress.annotations.',
    kinds: ['Ingress'],
    *object({ object, rendering }) {
      const limit = object.metadata.annotations?.['nginx.ingress.kubernetes.io/limit-rps'] ?? '';
      if (rendering !== undefined && !/^[1-9]\d*$/.test(limit))
        yield [['metadata', 'annotations'], 'one client can take all of the service.'];
    },
  },
  {
    id: 'ingress-tls',
    demands: 'An Ingress has a certificate for each of its hosts.',
    remedy: 'List the hosts under tls, with the name of the Secret that holds their certificate.',
    kinds: ['Ingress'],
    *object({ object, rendering }) {
      // values.yaml alone is never deployed, and the certificate is one of its environment.
      if (rendering?.values === 'values.yaml') return;
      const { tls, rules } = (object.spec ?? {}) as Fields;
      const covered = listOf(tls).flatMap(({ hosts = [], secretName }) => (secretName ? hosts : []));
      for (const [i, { host }] of listOf(rules).entries())
        if (!covered.includes(host)) yield [['spec', 'rules', i], `${host ?? 'any host'} has no certificate.`];
    },
  },
  {
    id: 'rbac-wildcard',
    demands: 'A role names what it allows, and allows nothing by *.',
    remedy: 'Name the groups, the resources and the verbs that are needed.',
    kinds: ['ClusterRole', 'Role'],
    *object({ object }) {
      for (const [i, rule] of listOf(object.rules).entries())
        for (const field of ['apiGroups', 'resources', 'verbs', 'nonResourceURLs'])
          if (listOf(rule[field]).some((value) => String(value).includes('*')))
            yield [['rules', i, field], 'it holds a *.'];
    },
  },
  {
    id: 'secret-in-git',
    demands: 'No Secret is in Git, not even an empty one: only what kubeseal made of it.',
    remedy: 'Seal it with kubeseal, and put the result under sealedSecret.encryptedData.',
    kinds: ['Secret'],
    object: () => [[[], 'everyone who can read the repository can read it.']],
  },
];

/** A container's own settings win over its pod's. */
function securityOf(container: Fields, pod: RenderedPod): Fields {
  return { ...pod.spec.securityContext, ...container.securityContext };
}

/** The rules of this platform that no tool knows. */
export const validatePolicy: ValidationCheck = {
  name: 'policy',
  title: 'workloads keep to the rules of the platform',
  rules: {
    ...sentences(policyRules),
    'secret-text': 'No text in a manifest, a chart or a values file looks like a token or a private key.',
  },
  run: async (repository) => [...(await checkObjects(repository, policyRules)), ...(await findSecrets(repository))],
};

/** Lines of any manifest, chart or values file that look like a secret. Says where, and never what. */
async function findSecrets(repository: Repository): Promise<Finding[]> {
  const folders = ['helm', 'argocd', 'observability', 'ingress', 'cluster', productionFolder];
  const files = (await Promise.all(folders.map((folder) => repository.files(folder)))).flat();
  const texts = files.filter(
    (file) => /\.(ya?ml|json|tpl|txt|lua)$/.test(file) && !/^helm\/[^/]+\/charts\//.test(file),
  );
  const found = texts.map(async (file) =>
    (await repository.text(file)).split('\n').flatMap((text, i): Finding[] => {
      const what = secretPatterns.find(([, pattern]) => pattern.test(text))?.[0];
      const remedy = 'Take it out, and have it replaced where it came from: whatever was in Git once is known.';
      return what === undefined
        ? []
        : [{ rule: 'secret-text', file, line: i + 1, message: `This looks like ${what}.`, remedy }];
    }),
  );
  return (await Promise.all(found)).flat();
}
