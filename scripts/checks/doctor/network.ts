import { unreachableProxy } from '../../images/network.ts';
import type { Exec } from '../../lib/exec.ts';
import { ProxyError } from '../../lib/http/agent.ts';
import { httpGet } from '../../lib/http/client.ts';
import { entriesOf, type Network, proxyFor } from '../../lib/http/proxy.ts';
import { capitalized } from '../../lib/text.ts';
import { type DoctorFinding, ok, warn } from './check.ts';

/** Which server is asked for whether the proxy lets anybody through: every cluster needs it. */
const probed = 'https://ghcr.io/v2/';

interface NetworkContext {
  exec: Exec;
  network: Network;
  signal: AbortSignal;
  /** Whether there is a node on this machine, or the cluster is not on it. */
  node: 'absent' | 'there' | 'elsewhere';
  /** The repository that Argo CD reads, where that is not this checkout. */
  repository?: string | undefined;
  /** Whether nothing may be asked. */
  offline?: boolean | undefined;
}

/** Says what is reached by a proxy, never its password, and what of that can't work. Nothing where no variable names one. */
export async function checkNetwork(context: NetworkContext): Promise<DoctorFinding[]> {
  const { network, node, repository } = context;
  const { https, http, ignored } = network;
  const used = https ?? http;
  if (ignored) return [trouble(`${ignored.variable} ${ignored.fault}: it is passed over.`, 'Set HTTPS_PROXY as well.')];
  if (used === undefined) return [];
  const except = ['this machine', ...entriesOf(network.direct)].join(', ');
  const through = ok(
    'proxy',
    `Downloads go through the proxy ${used.name} of ${used.variable}, except from ${except}.`,
  );
  const found = [(await refusal(context)) ?? through];
  if (node === 'elsewhere') return found;
  const local = unreachableProxy(network);
  if (local)
    found.push(
      trouble(
        `The proxy ${local.name} of ${local.variable} listens on this machine alone: the cluster's node can't reach it, and pulls images directly.`,
        `Have it listen on an address that containers reach, as that of docker0, and name that in ${local.variable}.`,
      ),
    );
  if (node === 'absent' && (await dockerHasNone(context.exec)))
    found.push(
      trouble(
        'Docker itself has no proxy: it pulls the node image directly.',
        'Where that fails, set one for the engine: https://docs.docker.com/engine/daemon/proxy/.',
      ),
    );
  if (repository !== undefined && /^https?:/.test(repository) && proxyFor(network, repository))
    found.push(
      trouble(
        `Argo CD reads ${repository} without the proxy: that is for this machine and the images of the node.`,
        'Where the cluster does not reach it, leave GITOPS_REPO_URL empty, and Argo CD reads this checkout.',
      ),
    );
  return found;
}

function trouble(message: string, remedy: string): DoctorFinding {
  return warn('proxy', { errorId: 'proxy', message, remedy });
}

/** What a proxy that lets nobody through says. That a server is silent is found elsewhere. */
async function refusal({ network, signal, offline }: NetworkContext): Promise<DoctorFinding | undefined> {
  if (offline || proxyFor(network, probed) === undefined) return undefined;
  try {
    await httpGet(probed, { signal });
  } catch (error) {
    if (error instanceof ProxyError) return trouble(`${capitalized(error.message)}.`, error.hint);
    if (signal.aborted) throw error;
  }
  return undefined;
}

/** Whether Docker's engine tells that it uses no proxy; not where it does not answer. */
async function dockerHasNone(exec: Exec): Promise<boolean> {
  const asked = ['docker', 'info', '--format', 'proxy={{.HTTPSProxy}}'] as const;
  return (await exec(asked, { nothrow: true })).stdout.trim() === 'proxy=';
}
