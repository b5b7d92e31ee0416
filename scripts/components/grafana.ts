import { randomBytes } from 'node:crypto';
import type { Context } from '../images/context.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import { ensureSecret } from '../kubernetes/secret.ts';
import { withTemplates } from '../kubernetes/workloads.ts';
import { shortened, UserError } from '../lib/errors.ts';
import { base64 } from '../lib/secret.ts';
import type { JsonMap } from '../repository/dashboards/normal-form.ts';
import { readManifestFolder, readManifests, restartOnConfigChange } from '../repository/manifests.ts';
import { install } from './installation.ts';
import { grafanaPassword, readPassword } from './passwords.ts';
import { askIngress, routeTable } from './routes.ts';

const namespace = 'observability';
const namespaceFile = 'observability/prometheus/namespace.yaml';
const manifestFolder = 'observability/grafana';

/** Grafana, with its data source and dashboards provisioned from files. The namespace is Prometheus', too, which removes it. */
export const grafana = install({
  name: 'grafana',
  needs: ['cluster'],
  objects: async ({ config }) =>
    restartOnConfigChange(
      withAnonymousAccess(await readManifestFolder(config.root, manifestFolder), config.grafanaAnonymous),
    ),
  made: [{ apiVersion: 'v1', kind: 'Secret', metadata: { name: grafanaPassword.secret, namespace } }],
  prepare: ensurePassword,
});

/** What lets somebody without a password look, as Grafana calls it. */
const anonymousEnv = [
  { name: 'GF_AUTH_ANONYMOUS_ENABLED', value: 'true' },
  { name: 'GF_AUTH_ANONYMOUS_ORG_ROLE', value: 'Viewer' },
];

/** The same objects, with a Grafana that anybody may look at, if that is wanted. The manifests themselves let nobody in. */
export function withAnonymousAccess(objects: readonly KubeObject[], wanted: boolean): KubeObject[] {
  if (!wanted) return [...objects];
  return withTemplates(objects, ({ spec }: { spec: { containers: { env?: object[] }[] } }) => {
    for (const container of spec.containers) container.env = [...(container.env ?? []), ...anonymousEnv];
  });
}

async function ensurePassword(context: Context): Promise<string[]> {
  const { secret: name, key } = grafanaPassword;
  const make = () => ({ type: 'Opaque', stringData: { [key]: randomBytes(18).toString('base64url') } });
  return ensureSecret(context, { namespace, name }, make, await readManifests(context.config.root, [namespaceFile]));
}

/** The password that the cluster keeps is not the one that Grafana takes. */
export class GrafanaPasswordRefused extends UserError {
  override readonly name = 'PasswordRefused';
}

/** The running Grafana, read only, as the administrator. */
export interface Grafana {
  /** Those that it has, sorted by uid. */
  dashboards(): Promise<{ uid: string; title: string }[]>;
  dashboard(uid: string): Promise<JsonMap>;
  /** Whatever one of its data sources answers to a GET of this path, as JSON. */
  throughDataSource<T>(uid: string, path: string): Promise<T>;
}

/**
 * Grafana at the ingress. The API server's proxy is no way: it takes the Authorization header for its own, and passes it on to
 * nobody. The password is asked for once, and goes into that header alone. Every call throws a `UserError` where Grafana
 * doesn't answer, or refuses. `send` is how the ingress is asked.
 */
export function connectGrafana(context: Context, send: typeof askIngress = askIngress): Grafana {
  const site = routeTable.find(({ title }) => title === 'Grafana');
  if (!site) throw new Error('there is no route to Grafana');
  let password: ReturnType<typeof readPassword> | undefined;

  const reply = async (path: string) => {
    password ??= readPassword(context, 'grafana');
    const authorization = `Basic ${base64(`admin:${(await password).reveal()}`)}`;
    const headers = { authorization, accept: 'application/json' };
    const { status, body, missing } = await send(context, site, path, { headers });
    if (status === undefined) throw new UserError(`Grafana can't be asked: ${missing}.`, { hint: 'npm run status' });
    if (status !== 401) return { status, body, missing };
    throw new GrafanaPasswordRefused('Grafana refuses the password that its Secret has: one of the two was changed.', {
      id: 'grafana-password',
      hint: "Its database is lost with its pod, and the new one takes the Secret's: kubectl -n observability rollout restart deployment/grafana",
    });
  };
  const json = async <T>(path: string, asked = reply(path)): Promise<T> => {
    const { body, missing } = await asked;
    if (missing !== undefined) throw new UserError(`Grafana refuses: ${missing}: ${shortened(body.trim(), 300)}`);
    return parseAnswer<T>(body, path);
  };

  return {
    async dashboards() {
      const found = await json<{ uid: string; title: string }[]>('/api/search?type=dash-db&limit=5000');
      return found.map(({ uid, title }) => ({ uid, title })).sort((a, b) => (a.uid < b.uid ? -1 : 1));
    },
    async dashboard(uid) {
      const path = `/api/dashboards/uid/${encodeURIComponent(uid)}`;
      const asked = reply(path);
      const { status } = await asked;
      // Saved in the form that Grafana 13 has of its own, which this address does not give.
      if (status === 406) return inClassicForm(await json<DashboardResource>(classicPath(uid)), uid);
      if (status === 404) throw new UserError(`Grafana has no dashboard ${uid}.`, { hint: 'npm run dashboards' });
      return (await json<{ dashboard: JsonMap }>(path, asked)).dashboard;
    },
    throughDataSource: (uid, path) => json(`/api/datasources/proxy/uid/${encodeURIComponent(uid)}${path}`),
  };
}

/** What Grafana's Kubernetes-like API (since 12) answers. */
interface DashboardResource {
  spec: JsonMap;
  status?: { conversion?: { failed?: boolean; error?: string } };
}

/** The address at which Grafana converts a dashboard to the form that has `panels`. */
function classicPath(uid: string): string {
  return `/apis/dashboard.grafana.app/v1beta1/namespaces/default/dashboards/${encodeURIComponent(uid)}`;
}

function inClassicForm({ spec, status }: DashboardResource, uid: string): JsonMap {
  if (!status?.conversion?.failed && Array.isArray(spec.panels)) return { ...spec, uid };
  const why = status?.conversion?.error ?? '';
  throw new UserError(`Grafana can't give ${uid} in the classic form, with panels: ${why}`, {
    hint: 'Leave tabs and automatic grids out of it, or save it again as a classic dashboard.',
  });
}

function parseAnswer<T>(body: string, path: string): T {
  try {
    return JSON.parse(body) as T;
  } catch (cause) {
    throw new UserError(`Grafana answers ${path} with something that is no JSON.`, { hint: 'npm run status', cause });
  }
}
