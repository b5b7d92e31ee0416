import type { Context } from '../context.ts';
import type { KubeObject } from '../lib/objects.ts';
import { install } from './installation.ts';
import { readManifests } from './manifests.ts';

interface WebhookConfiguration extends KubeObject {
  webhooks: { clientConfig: { caBundle?: string } }[];
}

/** The ingress controller, with its admission webhook, which refuses an Ingress that would break nginx. */
export const ingressNginx = install({
  name: 'ingress-nginx',
  needs: ['cluster'],
  objects: ({ config }) => readManifests(config.root, ['ingress/ingress-nginx.yaml']),
  missing: noCertificate,
  unproved: webhookSilent,
});

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
  const kubectl = await context.kubectl();
  const { exitCode, stderr } = await kubectl.run(['create', '--dry-run=server', '--output=name', '-f', '-'], {
    input: JSON.stringify(probe),
    nothrow: true,
    timeout: 30_000,
  });
  return exitCode === 0 ? undefined : `the admission webhook does not answer yet: ${stderr.trim().split('\n').at(-1)}`;
}

const probe = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { generateName: 'platform-ops-probe-', namespace: 'default' },
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
