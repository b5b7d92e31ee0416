import { dirname, join } from 'node:path';
import { shortened, UserError } from '../lib/errors.ts';
import { CommandError, type Exec, type ExecOptions, type Output } from '../lib/processes/exec.ts';
import { again, type Retry } from '../lib/retry.ts';
import { early, forbidden, remedyFor, restarting } from './api/refusals.ts';
import { type Predict, wouldStay } from './api/settled.ts';
import { type KubeObject, nameOf, toYaml } from './objects.ts';

/** Bound to one cluster: every call names the private kubeconfig and its context, so no other cluster can be hit. */
export interface Kubectl {
  /** The whole command line, for a kubectl that runs longer than a command. */
  command(args: readonly string[]): [string, ...string[]];
  /** Runs kubectl with arguments that may be run twice: while the API server restarts, it is tried again. Throws `CommandError`. */
  run(args: readonly string[], options?: ExecOptions): Promise<Output>;
  /**
   * Applies on the server's side and hands back the names of the objects that this really changed; no process is started
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
  retry?: Retry | undefined;
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
    return retry ? again(work, why, retry) : work();
  };
  return {
    command,
    run: (args, options) => patiently([restarting], () => once(args, options)),
    async apply(objects, options = {}) {
      if (objects.length === 0) return [];
      const started = Math.floor((await time()) / 1000) * 1000;
      if (predict && (await wouldStay(objects, { manager: fieldManager, predict, started }))) return [];
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
        const output = await patiently([restarting, early], () => once(args, { ...options, input }));
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
    lines.find((one) => early.test(one)) ?? lines.find((one) => /error|refused/i.test(one)) ?? lines[0] ?? '';
  const why =
    error.timedOut === undefined ? shortened(line, 600) : `kubectl was not done after ${error.timedOut / 1000} s`;
  const named = objects.slice(0, 3).map(nameOf).join(', ');
  const more = objects.length > 3 ? ` and ${objects.length - 3} more` : '';
  return new UserError(`Could not be applied: ${named}${more}. ${why}`, {
    hint: remedyFor(line) ?? (restarting.test(line) ? whereItIs : 'npm run doctor looks for the usual causes.'),
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
