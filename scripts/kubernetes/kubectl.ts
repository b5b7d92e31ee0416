import { dirname, join } from 'node:path';
import { shortened, UserError } from '../lib/errors.ts';
import { CommandError, type Exec, type ExecOptions, type Output } from '../lib/exec.ts';
import { type RetryOptions, withRetry } from '../lib/retry.ts';
import { ApiError, type ApiServer, Unreachable } from './api/api.ts';
import { type KubeObject, nameOf, objectPath, toYaml } from './objects.ts';

/** Bound to one cluster: every call names the private kubeconfig and its context, so no other cluster can be hit. */
export interface Kubectl {
  /** The whole command line, for a kubectl that runs longer than a command. */
  command(args: readonly string[]): [string, ...string[]];
  /** Runs kubectl with arguments that may be run twice: while the API server restarts, it is tried again. Throws `CommandError`. */
  run(args: readonly string[], options?: ExecOptions): Promise<Output>;
  /**
   * Applies on the server's side and returns the names of the objects that this really changed; no process is started
   * where the API server says that nothing would. What passes by itself, as an API server that restarts or a webhook that nobody answers yet, is tried again. Throws a `UserError`
   * with the reason and what to do about it.
   */
  apply(objects: readonly KubeObject[], options?: ExecOptions): Promise<string[]>;
}

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
  /** What the clock says that stamps the objects: milliseconds since 1970. Default: this machine's. */
  time?: () => Promise<number>;
  /** Whether the API server is still starting, and so forbids what it will allow. Default: no. */
  starting?: () => Promise<boolean>;
  /** Asked before a process is started; without it, all is applied to see. */
  predict?: Predict;
}

export function createKubectl(
  exec: Exec,
  path: string,
  kubeconfig: string,
  context: string,
  { retry, time = async () => Date.now(), starting = async () => false, predict }: KubectlOptions = {},
): Kubectl {
  const cache = join(dirname(kubeconfig), 'kubectl-cache');
  const command: Kubectl['command'] = (args) => [
    path,
    '--kubeconfig',
    kubeconfig,
    '--context',
    context,
    '--cache-dir',
    cache,
    ...args,
  ];
  const once: Kubectl['run'] = (args, options) => exec(command(args), options);
  const patiently = (passing: readonly RegExp[], work: () => Promise<Output>) => {
    let refused = false;
    const why = async (error: unknown) => {
      const passes = whyItPasses(error, passing);
      const refusal = passes === undefined ? whyItPasses(error, [forbidden]) : undefined;
      if (refusal === undefined) return passes;
      // Of a server that is ready the first refusal may be older than that, the second is final.
      const isFinal = refused && !(await starting());
      refused = true;
      return isFinal ? undefined : refusal;
    };
    return retry ? withRetry(work, why, retry) : work();
  };
  return {
    command,
    run: (args, options) => patiently([apiRestarting], () => once(args, options)),
    async apply(objects, options = {}) {
      if (objects.length === 0) return [];
      const started = Math.floor((await time()) / 1000) * 1000;
      if (predict && (await wouldChangeNothing(objects, { predict, started }))) return [];
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
        const input = toYaml(objects);
        const output = await patiently([apiRestarting, transientRefusal], () => once(args, { ...options, input }));
        return changedSince(started, output.stdout);
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
export const apiRestarting =
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

type Predict = (object: KubeObject) => Promise<KubeObject>;

/** What the metadata of an object would be once it was applied, by a dry run. */
export function predictMetadata(api: ApiServer, object: KubeObject): Promise<KubeObject> {
  return api.dryRunMetadata(objectPath(object), toYaml([object]), fieldManager);
}

interface Prediction {
  predict: Predict;
  /** Milliseconds since 1970, by the clock that stamps the objects: what was changed before that stays as it is. */
  started: number;
}

async function wouldStay(object: KubeObject, { predict, started }: Prediction): Promise<boolean> {
  const { managedFields = [], creationTimestamp } = (await predict(object)).metadata;
  const own = managedFields.find(({ manager, operation }) => manager === fieldManager && operation === 'Apply');
  // Of an object that is nothing but its name, no field is anybody's: it is there or would be made.
  const changed = own ? own.time : creationTimestamp;
  return changed !== undefined && Date.parse(changed) < started;
}

/**
 * Asks the API server by dry runs, without kubectl, what applying objects would do.
 * @returns those that would be created or changed; one that it refuses is among them.
 */
export async function objectsToChange<T extends KubeObject>(api: ApiServer, objects: readonly T[]): Promise<T[]> {
  const predict = (object: KubeObject) => predictMetadata(api, object);
  const prediction = { predict, started: Math.floor((await api.time()) / 1000) * 1000 };
  const changes = await Promise.all(
    objects.map((object) =>
      wouldStay(object, prediction).then(
        (stays) => !stays,
        (error: unknown) => {
          if (error instanceof ApiError) return true;
          throw error;
        },
      ),
    ),
  );
  return objects.filter((_, index) => changes[index]);
}

/**
 * Whether applying the objects would change nothing, as far as the API server tells: the time stamp of the manager's fields
 * would stay that of before `started`. The last one is asked for first: in a new cluster it is missing, and nothing else
 * need be asked.
 */
async function wouldChangeNothing(objects: readonly KubeObject[], prediction: Prediction): Promise<boolean> {
  const stays = (object: KubeObject) => wouldStay(object, prediction);
  try {
    const [last, ...others] = objects.toReversed();
    return last === undefined || ((await stays(last)) && (await Promise.all(others.map(stays))).every(Boolean));
  } catch (error) {
    // kubectl says what is wrong, or waits until it has passed.
    if (error instanceof ApiError || error instanceof Unreachable) return false;
    throw error;
  }
}
