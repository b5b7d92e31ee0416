import { dirname, join } from 'node:path';
import { CommandError, type Exec, type ExecOptions, type Output } from './exec.ts';
import { type KubeObject, toYaml } from './objects.ts';
import { again, type Retry } from './retry.ts';

/** Bound to one cluster: every call names the private kubeconfig and its context, so no other cluster can be hit. */
export interface Kubectl {
  /** The whole command line, for a kubectl that runs longer than a command. */
  command(args: readonly string[]): [string, ...string[]];
  run(args: readonly string[], options?: ExecOptions): Promise<Output>;
  /**
   * Applies on the server's side and hands back the names of the objects that this really changed. What passes by
   * itself, as an API server that restarts or a webhook that nobody answers yet, is tried again.
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

/** Refusals that pass: of the connection, of the server while it starts, of a webhook, of a namespace on its way in or out. */
const passing =
  /connection refused|was refused|connection reset|unexpected EOF|: EOF|TLS handshake timeout|i\/o timeout|etcdserver: |ServiceUnavailable|currently unable to handle the request|TooManyRequests|failed calling webhook|being terminated|error looking up service account/i;

/** `retry` says for how long to try again what passes by itself; without it, nothing is. */
export function createKubectl(exec: Exec, path: string, kubeconfig: string, context: string, retry?: Retry): Kubectl {
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
  const run: Kubectl['run'] = (args, options) => exec(command(args), options);
  return {
    command,
    run,
    async apply(objects, options = {}) {
      if (objects.length === 0) return [];
      const started = Math.floor(Date.now() / 1000) * 1000;
      const work = () =>
        run(
          [
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
          ],
          { ...options, input: toYaml(objects) },
        );
      const output = await (retry ? again(work, whyItPasses, retry) : work());
      return changedSince(started, output.stdout);
    },
  };
}

function whyItPasses(error: unknown): string | undefined {
  if (!(error instanceof CommandError) || error.timedOut) return undefined;
  return error.output.stderr
    .split('\n')
    .find((line) => passing.test(line))
    ?.slice(0, 300);
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
