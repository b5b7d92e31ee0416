import type { Component } from '../cluster/component.ts';
import type { Context } from '../images/context.ts';
import { ApiError } from '../kubernetes/api/api.ts';
import { fieldManager } from '../kubernetes/kubectl.ts';
import { type KubeObject, objectPath } from '../kubernetes/objects.ts';
import type { Job } from '../kubernetes/workloads.ts';
import { controllerObjects, ingressRole, removeOther } from './ingress-controllers.ts';
import { install } from './installation.ts';
import { removeObjects } from './removal.ts';

interface WebhookConfiguration extends KubeObject {
  webhooks: { clientConfig: { caBundle?: string } }[];
}

const objects = controllerObjects('nginx');
const component = 'app.kubernetes.io/component';
const admission = 'admission-webhook';

/** The ingress controller, with its admission webhook, which refuses an Ingress that would break nginx. */
export const ingressNginx: Component = {
  ...install({
    name: 'ingress-nginx',
    needs: ['cluster'],
    objects,
    grown: [
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'ingress-nginx-admission', namespace: 'ingress-nginx' } },
    ],
    prepare: async (context) => [...(await removeOther(context, 'nginx')), ...(await removeOldJobs(context))],
    missing: noCertificate,
    unproved: webhookSilent,
  }),
  role: ingressRole,
};

/** A new version of the certificate's Job has a name of its own. The ones of before are over, and only in the way. */
async function removeOldJobs(context: Context): Promise<string[]> {
  const ours = await objects(context);
  const [wanted] = ours.filter(({ kind }) => kind === 'Job');
  const all = await context.view().list<Job>('batch/v1', 'Job');
  const old = all.filter(
    ({ metadata }) => metadata.namespace === wanted?.metadata.namespace && metadata.labels?.[component] === admission,
  );
  return removeObjects(context, old, ours);
}

async function noCertificate(context: Context): Promise<string | undefined> {
  const configurations = await context
    .view()
    .list<WebhookConfiguration>('admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration');
  const ours = configurations.find(({ metadata }) => metadata.name === 'ingress-nginx-admission');
  return ours?.webhooks.every(({ clientConfig }) => clientConfig.caBundle)
    ? undefined
    : 'the admission webhook has no certificate yet';
}

/**
 * Until the webhook answers, the API server refuses every Ingress. So one is offered, as a dry run that changes nothing.
 */
async function webhookSilent(context: Context): Promise<string | undefined> {
  try {
    await context.api().dryRunMetadata(objectPath(probe), JSON.stringify(probe), fieldManager);
    return undefined;
  } catch (error) {
    if (!(error instanceof ApiError) || error.status === 403) throw error;
    return `the admission webhook does not answer yet: ${error.reason}`;
  }
}

const probe = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name: 'platform-ops-probe', namespace: 'default' },
  spec: {
    ingressClassName: 'nginx',
    rules: [
      {
        host: 'platform-ops-probe.invalid',
        http: {
          paths: [
            { path: '/', pathType: 'Prefix', backend: { service: { name: 'kubernetes', port: { number: 443 } } } },
          ],
        },
      },
    ],
  },
};
