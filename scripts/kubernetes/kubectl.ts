import { dirname, join } from 'node:path';
import { shortened, UserError } from '../lib/errors.ts';
import { CommandError, type Exec, type ExecOptions } from '../lib/exec.ts';
import { type RetryOptions, withRetry } from '../lib/retry.ts';
import { ApiError, type ApiServer, Unreachable } from './api/api.ts';
import { type KubeObject, nameOf, objectPath, toYaml } from './objects.ts';

/** Bound to one cluster: every call names the private kubeconfig and its context, so no other cluster can be hit. */
export type Kubectl = ReturnType<typeof createKubectl>;

/** Under this name the API server remembers which fields are ours. */
export const fieldManager = 'platform-ops';

/** A line for each object: kind, name, and when fields of ours were changed last. kubectl wraps several objects into a list. */
const applied = [
  '{{define "one"}}{{.kind}} {{with .metadata.namespace}}{{.}}/{{end}}{{.metadata.name}}',
  `{{range .metadata.managedFields}}{{if and (eq .manager "${fieldManager}") (eq .operation "Apply")}} {{.time}}{{end}}{{end}}`,
  '{{"\\n"}}{{end}}',
  '{{if .items}}{{range .items}}{{template "one" .}}{{end}}{{else}}{{template "one" .}}{{end}}',
].join('');

interface KubectlOptions {
  /** For how long to try again what passes by itself; without it, nothing is. */
  retry?: RetryOptions | undefined;
  /**
   * The same cluster: by its clock the objects are stamped, it says whether it is still starting and so forbids what it will
   * allow, and it is asked what would change before a process is started. Without it, all is applied to see.
   */
  api?: () => Pick<ApiServer, 'time' | 'starting' | 'dryRunMetadata'>;
}

export function createKubectl(
  exec: Exec,
  path: string,
  kubeconfig: string,
  context: string,
  { retry, api }: KubectlOptions = {},
) {
  const cluster = ['--kubeconfig', kubeconfig, '--context', context];
  const cache = ['--cache-dir', join(dirname(kubeconfig), 'kubectl-cache')];
  /** The whole command line, for a kubectl that runs longer than a command. */
  const command = (args: readonly string[]): [string, ...string[]] => [path, ...cluster, ...cache, ...args];
  const retrying = (passing: readonly RegExp[], args: readonly string[], options?: ExecOptions) => {
    let refused = false;
    const why = async (error: unknown) => {
      const passes = whyItPasses(error, passing);
      const refusal = passes === undefined ? whyItPasses(error, [forbidden]) : undefined;
      if (refusal === undefined) return passes;
      // Of a server that is ready the first refusal may be older than that, the second is final.
      const isFinal = refused && !(await api?.().starting());
      refused = true;
      return isFinal ? undefined : refusal;
    };
    const work = () => exec(command(args), options);
    return retry ? withRetry(work, why, retry) : work();
  };
  return {
    command,
    /** Runs kubectl with arguments that may be run twice: while the API server restarts, it is tried again. Throws `CommandError`. */
    run: (args: readonly string[], options?: ExecOptions) => retrying([apiRestarting], args, options),
    /**
     * Applies on the server's side and returns the names of the objects that this really changed; no process is started
     * where the API server says that nothing would. What passes by itself, as an API server that restarts or a webhook that
     * nobody answers yet, is tried again. Throws a `UserError` with the reason and what to do about it.
     */
    async apply(objects: readonly KubeObject[], options: ExecOptions = {}): Promise<string[]> {
      if (objects.length === 0) return [];
      const started = await secondOf(api?.());
      if (api && (await wouldChangeNothing(api(), objects, started))) return [];
      const args = [
        'apply',
        '--server-side',
        '--force-conflicts',
        `--field-manager=${fieldManager}`,
        // The API server refuses an unknown field by itself here; asking it for its schemas first takes longer than all else.
        '--validate=ignore',
        '-o',
        `go-template=${applied}`,
        '-f',
        '-',
      ];
      try {
        const given = { ...options, input: toYaml(objects) };
        return changedSince(started, (await retrying([apiRestarting, transientRefusal], args, given)).stdout);
      } catch (error) {
        throw error instanceof CommandError ? notApplied(error, objects) : error;
      }
    },
  };
}

function whyItPasses(error: unknown, passing: readonly RegExp[]): string | undefined {
  if (!(error instanceof CommandError) || error.timedOut !== undefined) return undefined;
  const why = error.output.stderr.split('\n').find((line) => passing.some((pattern) => pattern.test(line)));
  return why === undefined ? undefined : shortened(why, 300);
}

const whereItIs = 'npm run status tells whether the API server is back; npm run up goes on where it stopped.';

/** The sentence for objects that could not be applied, in place of the whole command. */
function notApplied(error: CommandError, objects: readonly KubeObject[]): UserError {
  const { stderr } = error.output;
  const lines = stderr.trim().split('\n');
  const line =
    lines.find((one) => transientRefusal.test(one)) ??
    lines.find((one) => /error|refused/i.test(one)) ??
    lines[0] ??
    '';
  const why =
    error.timedOut === undefined ? shortened(line, 600) : `kubectl was not done after ${error.timedOut / 1000} s`;
  const named = objects.slice(0, 3).map(nameOf).join(', ');
  const more = objects.length > 3 ? ` and ${objects.length - 3} more` : '';
  return new UserError(`Could not be applied: ${named}${more}. ${why}`, {
    id: 'not-applied',
    hint: remedyFor(line) ?? (apiRestarting.test(line) ? whereItIs : 'npm run doctor looks for the usual causes.'),
    cause: error,
  });
}

/**
 * Applying something that is there already leaves the time stamp of our fields as it was (structured-merge-diff drops
 * an update that would change nothing but that stamp), so a stamp from before the call says: nothing changed.
 */
function changedSince(started: number, output: string): string[] {
  return output
    .split('\n')
    .map((line) => line.match(/^(\S+ \S+) (\S+)$/))
    .filter((match) => match !== null && Date.parse(match[2] ?? '') >= started)
    .map((match) => match?.[1] ?? '');
}

/**
 * What kubectl says of an API server that restarts. An eviction that a disruption budget forbids for now is answered 429 as
 * well, and is an answer.
 */
const apiRestarting =
  /connection refused|was refused|connection reset|unexpected EOF|: EOF|TLS handshake timeout|i\/o timeout|etcdserver: |ServiceUnavailable|currently unable to handle the request|TooManyRequests(?!\): Cannot evict pod)/i;

/** What kubectl says where the login lacks a right. An API server that starts says so, too, until it has read its roles. */
export const forbidden = /forbidden: User "([^"]*)" cannot /i;

/** Refusals that pass as well: of a webhook, and of a namespace on its way in or out. */
const transientRefusal = /failed calling webhook|being terminated|error looking up service account/i;

/** What to do about a refusal of the API server, in the words of kubectl or of an object's status, where it is known. */
export function remedyFor(said: string): string | undefined {
  const [, webhook] = said.match(/failed calling webhook "([^"]+)"/) ?? [];
  if (webhook !== undefined)
    return `Nobody answers for the webhook ${webhook}: kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations shows whose it is. Have its program run, or delete its configuration, then npm run up.`;
  const [, account] = said.match(/error looking up service account (\S+?):/) ?? [];
  if (account !== undefined)
    return `Kubernetes makes the account ${account} by itself, and has not done so: kubectl get pods --namespace kube-system tells whether kube-controller-manager runs. Then npm run up.`;
  const [, user] = said.match(forbidden) ?? [];
  if (user !== undefined)
    return `${user} lacks that right in the cluster: kubectl auth can-i --list shows what it may do. Use a login with the ClusterRole cluster-admin.`;
  if (/exceeded quota/i.test(said))
    return 'A quota of the namespace stands in the way: kubectl get resourcequota --all-namespaces shows it.';
  return undefined;
}

/** What the metadata of an object would be once it was applied, by a dry run. */
export function predictMetadata(api: Pick<ApiServer, 'dryRunMetadata'>, object: KubeObject): Promise<KubeObject> {
  return api.dryRunMetadata(objectPath(object), toYaml([object]), fieldManager);
}

/** Milliseconds since 1970 at which the current second began, by the clock that stamps the objects, whose stamps have no fractions. */
async function secondOf(api?: Pick<ApiServer, 'time'>): Promise<number> {
  return Math.floor(((await api?.time()) ?? Date.now()) / 1000) * 1000;
}

/** Whether applying an object would leave the time stamp of our fields as it was before `started`. */
async function wouldStay(
  api: Pick<ApiServer, 'dryRunMetadata'>,
  object: KubeObject,
  started: number,
): Promise<boolean> {
  const { managedFields = [], creationTimestamp } = (await predictMetadata(api, object)).metadata;
  const own = managedFields.find(({ manager, operation }) => manager === fieldManager && operation === 'Apply');
  // Of an object that is nothing but its name, no field is anybody's: it is there or would be made.
  const changed = own ? own.time : creationTimestamp;
  return changed !== undefined && Date.parse(changed) < started;
}

/**
 * Asks the API server by dry runs, without kubectl, what applying objects would do.
 * @returns those that would be created or changed; one that it refuses is among them.
 */
export async function objectsToChange<T extends KubeObject>(
  api: Pick<ApiServer, 'time' | 'dryRunMetadata'>,
  objects: readonly T[],
): Promise<T[]> {
  const started = await secondOf(api);
  const stays = async (object: T) => {
    try {
      return await wouldStay(api, object, started);
    } catch (error) {
      if (error instanceof ApiError) return false;
      throw error;
    }
  };
  const staying = await Promise.all(objects.map(stays));
  return objects.filter((_, index) => !staying[index]);
}

/** Asks for the last one first: in a new cluster it is missing, and nothing else need be asked. */
async function wouldChangeNothing(
  api: Pick<ApiServer, 'dryRunMetadata'>,
  objects: readonly KubeObject[],
  started: number,
): Promise<boolean> {
  const stay = async (some: readonly KubeObject[]) =>
    (await Promise.all(some.map((object) => wouldStay(api, object, started)))).every(Boolean);
  try {
    return (await stay(objects.slice(-1))) && (await stay(objects.slice(0, -1)));
  } catch (error) {
    // kubectl says what is wrong, or waits until it has passed.
    if (error instanceof ApiError || error instanceof Unreachable) return false;
    throw error;
  }
}
