import { secretPatterns } from '../../../lib/secret.ts';
import type { Finding } from '../../../repository/rendering/finding.ts';
import type { Repository, ValidationCheck } from '../../../repository/rendering/repository.ts';
import { podRules } from './pods.ts';
import { checkObjects, type Fields, listOf, type ObjectRule, sentences } from './rule.ts';

/** What else than pods has rules of its own. */
const objectRules: readonly ObjectRule[] = [
  {
    id: 'ingress-rate-limit',
    demands: "An Ingress of a chart limits the rate of a client's requests.",
    remedy: 'Add the annotation nginx.ingress.kubernetes.io/limit-rps under ingress.annotations.',
    kinds: ['Ingress'],
    *violations({ object, rendering }) {
      const limit = object.metadata.annotations?.['nginx.ingress.kubernetes.io/limit-rps'] ?? '';
      if (rendering === undefined || /^[1-9]\d*$/.test(limit)) return;
      yield { path: ['metadata', 'annotations'], message: 'one client can take all of the service.' };
    },
  },
  {
    id: 'ingress-tls',
    demands: 'An Ingress has a certificate for each of its hosts.',
    remedy: 'List the hosts under tls, with the name of the Secret that holds their certificate.',
    kinds: ['Ingress'],
    *violations({ object, rendering }) {
      // values.yaml alone is never deployed, and the certificate is one of its environment.
      if (rendering?.values === 'values.yaml') return;
      const { tls, rules } = (object.spec ?? {}) as Fields;
      const covered = listOf(tls).flatMap(({ hosts = [], secretName }) => (secretName ? hosts : []));
      for (const [i, { host }] of listOf(rules).entries()) {
        if (covered.includes(host)) continue;
        yield { path: ['spec', 'rules', i], message: `${host ?? 'any host'} has no certificate.` };
      }
    },
  },
  {
    id: 'rbac-wildcard',
    demands: 'A role names what it allows, and allows nothing by *.',
    remedy: 'Name the groups, the resources and the verbs that are needed.',
    kinds: ['ClusterRole', 'Role'],
    *violations({ object }) {
      for (const [i, rule] of listOf(object.rules).entries()) {
        for (const field of ['apiGroups', 'resources', 'verbs', 'nonResourceURLs']) {
          if (!listOf(rule[field]).some((value) => String(value).includes('*'))) continue;
          yield { path: ['rules', i, field], message: 'it holds a *.' };
        }
      }
    },
  },
  {
    id: 'secret-in-git',
    demands: 'No Secret is in Git, not even an empty one: only what kubeseal made of it.',
    remedy: 'Seal it with kubeseal, and put the result under sealedSecret.encryptedData.',
    kinds: ['Secret'],
    violations: () => [{ path: [], message: 'everyone who can read the repository can read it.' }],
  },
];

/** Those that kube-score does not know. */
export const policyRules: readonly ObjectRule[] = [...podRules, ...objectRules];

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
  const folders = ['helm', 'argocd', 'observability', 'ingress', 'cluster'];
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
