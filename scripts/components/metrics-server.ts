import type { Component } from '../cluster/component.ts';
import { wasApplied } from '../cluster/ownership.ts';
import type { Context } from '../images/context.ts';
import { ApiError, jsonIfThere } from '../kubernetes/api/api.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import { ensureSecret, readSecret } from '../kubernetes/secret.ts';
import type { ApiService } from '../kubernetes/types.ts';
import { withTemplates } from '../kubernetes/workloads.ts';
import { shortened } from '../lib/errors.ts';
import { readManifests } from '../repository/manifests.ts';
import { unreadable } from '../repository/text.ts';
import { install } from './installation.ts';

export const metricsServerFile = 'cluster/metrics-server.yaml';
const metricsPath = '/apis/metrics.k8s.io/v1beta1/nodes';
const apiService = 'v1beta1.metrics.k8s.io';
const host = 'metrics-server.kube-system.svc';
const secret = { namespace: 'kube-system', name: 'metrics-server-tls' };
/** Longer than any cluster of this kind lives. */
const validDays = 3650;

const common = {
  name: 'metrics-server',
  needs: ['cluster'],
  made: [{ apiVersion: 'v1', kind: 'Secret', metadata: secret }],
  prepare: ensureCertificate,
};

const platformServer = install({ ...common, objects: allObjects, missing: metricsNotServed, mend: trustCertificate });

/** The program alone, of which the API server does not know. */
const withoutApiService = install({
  ...common,
  objects: async (context) => (await allObjects(context)).filter(({ kind }) => kind !== 'APIService'),
});

async function allObjects({ config, target }: Context): Promise<KubeObject[]> {
  const objects = useCertificate(await readManifests(config.root, [metricsServerFile]));
  return target === undefined ? useNodeApiServer(objects) : objects;
}

/**
 * What the HorizontalPodAutoscalers measure with. The API server passes requests on to it, and checks its certificate. One
 * that somebody else installed is used and left alone.
 */
export const metricsServer: Component = {
  ...platformServer,

  async status(context) {
    if (!(await isForeign(context))) return platformServer.status(context);
    const missing = await metricsNotServed(context);
    return missing === undefined ? { state: 'ready', detail: foreignDetail } : { state: 'unready', missing };
  },

  async apply(context) {
    if (await isForeign(context)) return { changed: [], detail: foreignDetail };
    if (context.target === undefined) return platformServer.apply(context);
    // Here it goes by the Service's address (cluster/kind.yaml has it otherwise in kind). Told of that before kube-proxy knows the
    // way, the API server would reach whoever answers for every address, and keep to the connection.
    const { changed } = await withoutApiService.apply(context);
    const outcome = await platformServer.apply(context);
    return { ...outcome, changed: [...changed, ...outcome.changed] };
  },

  objects: async (context) => ((await isForeign(context)) ? [] : ((await platformServer.objects?.(context)) ?? [])),
};

const foreignDetail = 'the one that the cluster already has';

async function isForeign(context: Context): Promise<boolean> {
  const service = await readApiService(context);
  return service !== undefined && !wasApplied(service);
}

const ownCertificate = '--cert-dir=/tmp';
const mountPath = '/etc/metrics-server';

/** The same objects, with the certificate of the Secret, which the API server checks, in place of one that the program makes. */
function useCertificate(objects: readonly KubeObject[]): KubeObject[] {
  const checked = objects.map((object) =>
    object.kind === 'APIService'
      ? { ...object, spec: { ...(object.spec as object), insecureSkipTLSVerify: false } }
      : object,
  );
  return withTemplates(checked, ({ spec }: { spec: PodSpec }) => {
    // Readable by the owner and the group of the pod (fsGroup), by nobody else.
    const volume = { name: 'tls', secret: { secretName: secret.name, defaultMode: 0o440 } };
    spec.volumes = [...(spec.volumes ?? []), volume];
    for (const container of spec.containers) {
      const { args = [], volumeMounts = [] } = container;
      if (!args.includes(ownCertificate)) throw unreadable(`${metricsServerFile} has no ${ownCertificate}.`);
      const files = [`--tls-cert-file=${mountPath}/tls.crt`, `--tls-private-key-file=${mountPath}/tls.key`];
      container.args = args.flatMap((arg) => (arg === ownCertificate ? files : [arg]));
      container.volumeMounts = [...volumeMounts, { name: volume.name, mountPath, readOnly: true }];
    }
  });
}

interface PodSpec {
  volumes?: object[];
  containers: { args?: string[]; volumeMounts?: object[] }[];
}

/**
 * In kind the API server runs on the node of every pod, and answers there before kube-proxy has made the Service's address lead
 * to it. What starts with the node, and asks that address, gets no answer and dies.
 */
function useNodeApiServer(objects: readonly KubeObject[]): KubeObject[] {
  const env = [
    { name: 'KUBERNETES_SERVICE_HOST', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
    { name: 'KUBERNETES_SERVICE_PORT', value: '6443' },
  ];
  return withTemplates(objects, ({ spec }: { spec: { containers: { env?: unknown[] }[] } }) => {
    for (const container of spec.containers) container.env = [...(container.env ?? []), ...env];
  });
}

/** The pod is ready before the API server has noticed, so the API itself is asked. */
async function metricsNotServed(context: Context): Promise<string | undefined> {
  try {
    await context.api().text(metricsPath);
    return undefined;
  } catch (error) {
    // A 403 as well: metrics-server asks the API server whether we may, with an account whose own rights are new.
    if (!(error instanceof ApiError)) throw error;
    const why = (await readApiService(context))?.status?.conditions?.find(({ type }) => type === 'Available')?.message;
    return `the metrics API is not served yet${why ? ` (${shortened(why, 300)})` : ''}`;
  }
}

function ensureCertificate(context: Context): Promise<string[]> {
  return ensureSecret(context, secret, async () => {
    // Loaded when it is needed: once in a cluster's life.
    const { selfSigned } = await import('../lib/certificates/certificate.ts');
    const { certificate, key } = await selfSigned([host], validDays);
    return { type: 'kubernetes.io/tls', stringData: { 'tls.crt': certificate, 'tls.key': key } };
  });
}

/** How the API server is told of metrics-server, and what it says about it. */
function readApiService(context: Context): Promise<ApiService | undefined> {
  return jsonIfThere(context.api(), `/apis/apiregistration.k8s.io/v1/apiservices/${apiService}`);
}

/** Has the API server trust the certificate that lies in the secret. The manifest states no caBundle, so it stays. */
async function trustCertificate(context: Context): Promise<void> {
  const service = await readApiService(context);
  if (!service) return;
  const caBundle = (await readSecret(context, secret))?.['tls.crt'];
  if (service.spec.caBundle === caBundle) return;
  const kubectl = await context.kubectl();
  const patch = JSON.stringify({ spec: { caBundle } });
  await kubectl.run(['patch', 'apiservice', apiService, '--type=merge', '--patch', patch]);
}
