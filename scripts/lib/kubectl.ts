import { dirname, join } from 'node:path';
import type { Exec, ExecOptions, Output } from './exec.ts';
import { type KubeObject, toYaml } from './objects.ts';

/** Bound to one cluster: every call names the private kubeconfig and its context, so no other cluster can be hit. */
export interface Kubectl {
  run(args: readonly string[], options?: ExecOptions): Promise<Output>;
  /** Applies on the server's side and hands back the names of the objects that this really changed. */
  apply(objects: readonly KubeObject[], options?: ExecOptions): Promise<string[]>;
}

/** Under this name the API server remembers which fields are ours. */
const fieldManager = 'platform-ops';

/** A line for each object: kind, name, and when fields of ours were changed last. kubectl wraps several objects into a list. */
const applied = [
  '{{define "one"}}{{.kind}} {{with .metadata.namespace}}{{.}}/{{end}}{{.metadata.name}}',
  `{{range .metadata.managedFields}}{{if and (eq .manager "${fieldManager}") (eq .operation "Apply")}} {{.time}}{{end}}{{end}}`,
  '{{"\\n"}}{{end}}',
  '{{if .items}}{{range .items}}{{template "one" .}}{{end}}{{else}}{{template "one" .}}{{end}}',
].join('');

export function createKubectl(exec: Exec, path: string, kubeconfig: string, context: string): Kubectl {
  const cache = join(dirname(kubeconfig), 'kubectl-cache');
  const run: Kubectl['run'] = (args, options) =>
    exec([path, '--kubeconfig', kubeconfig, '--context', context, '--cache-dir', cache, ...args], options);
  return {
    run,
    async apply(objects, options = {}) {
      if (objects.length === 0) return [];
      const started = Math.floor(Date.now() / 1000) * 1000;
      const output = await run(
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
      return changedSince(started, output.stdout);
    },
  };
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
