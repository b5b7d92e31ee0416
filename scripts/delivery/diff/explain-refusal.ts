import { posix } from 'node:path';
import type { Context } from '../../images/context.ts';
import { UserError } from '../../lib/errors.ts';
import type { Application } from '../../repository/applications.ts';

/** The error for a chart that helm refuses: each place in the values or the templates, as npm run validate finds it. */
export async function explainRefusal(context: Context, application: Application, said: string): Promise<UserError> {
  // Loaded when it is needed: a diff of charts that are sound does without.
  const [{ locateHelmError: explain }, { openRepository }] = await Promise.all([
    import('../../repository/rendering/helm-error.ts'),
    import('../../repository/rendering/repository.ts'),
  ]);
  const { config, exec, toolbox } = context;
  const { prefix } = await context.checkout();
  const { path, helm } = application.spec.source;
  const folder = posix.relative(prefix, path);
  const chart = { name: posix.basename(path), folder, overlays: [] };
  const rendering = { chart, values: helm.valueFiles.at(-1) ?? 'values.yaml', objects: [], faults: [], yaml: '' };
  const repository = openRepository(config.root, { exec, find: (name) => toolbox.find(name) });
  // Argo CD names a values file by its path, and so does what reads the sentence.
  const named = said.replace(/(?<=failed to parse )[\w./-]+/, (file) => posix.join(folder, file));
  const findings = await explain(repository, rendering, named);
  const lines = findings.map(({ file, line, message }) => {
    const place = line === undefined ? file : `${file}:${line}`;
    return `${place}: ${message.replace(/^helm does not render \S+: /, '')}`;
  });
  return new UserError(`${application.metadata.name} can't be rendered: ${lines.join('\n')}`, {
    hint: findings[0]?.remedy ?? 'npm run validate',
  });
}
