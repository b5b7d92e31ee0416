import { allComponents } from '../components/index.ts';
import { pullSecretName } from '../images/credentials/credentials.ts';
import { ExitCode } from '../lib/errors.ts';
import { columns } from '../lib/text.ts';
import { type FileChange, writeAll } from '../repository/new-service/changes.ts';
import { assertServiceName, type NewService, readNewService } from '../repository/new-service/options.ts';
import { planService } from '../repository/new-service/plan.ts';
import type { Command, Invocation } from './command.ts';

export const newServiceCommand: Command = {
  description: [
    'Creates an HTTP service inside the cluster, modelled on an existing one such as core-go: /health, /info and',
    '/metrics on one port, in the same namespace. It gets a chart in helm/, an Application in argocd/, its metrics,',
    'a dashboard, a stand-in, and its place in docs/promote-workflow.yml. All of that is written, or nothing;',
    'no file is overwritten, and nothing is committed. What comes out passes npm run validate as it stands.',
  ].join('\n'),
  flags: {
    port: { type: 'text', value: 'number', description: 'The port that it listens on (default: 8080).' },
    image: {
      type: 'text',
      value: 'repository',
      description: 'Where its image is (default: beside that of the model, under its own name).',
    },
    // npm has a setting of that name, for what it publishes.
    tag: { type: 'text', value: 'tag', description: "The image's tag (default: that of the model).", typedOnly: true },
    'dry-run': { type: 'boolean', description: 'Only say which files would be created and changed.' },
    json: { type: 'boolean', description: 'Print that as JSON.' },
  },
  operands: ['name'],
  examples: [
    'npm run new-service -- greeter',
    'npm run new-service -- greeter --port 9090 --image ghcr.io/zainasr/greeter --tag a1b2c3d',
    'npm run new-service -- greeter --dry-run',
  ],
  interrupted: 'Nothing was changed.',
  run: runNewService,
};

async function runNewService({
  config,
  flags,
  operands = [],
  signal,
  print,
  progressStream,
}: Invocation): Promise<ExitCode> {
  const [name = ''] = operands;
  await assertServiceName(config.root, name, {
    ...Object.fromEntries(allComponents().map((component) => [component.name, 'a part of the platform'])),
    [pullSecretName]: 'the Secret that images are pulled with',
  });
  const { port, image, tag } = flags as Partial<Record<string, string>>;
  const wish = await readNewService(config.root, name, {
    ...(port !== undefined && { port }),
    ...(image !== undefined && { image }),
    ...(tag !== undefined && { tag }),
  });
  const changes = await planService(config.root, wish);
  const dry = flags['dry-run'] === true;
  if (!dry) await writeAll(config.root, changes, signal);
  print(flags.json ? json(wish, changes, dry) : page(wish, changes, dry));
  if (!flags.json) progressStream.write(`${dry ? '\nNothing was written.' : nextSteps(wish)}\n`);
  return ExitCode.done;
}

function kindOf({ before }: FileChange): 'new' | 'changed' {
  return before === undefined ? 'new' : 'changed';
}

function json({ name, port, image }: NewService, changes: readonly FileChange[], dryRun: boolean): string {
  const files = changes.map((change) => ({ file: change.file, change: kindOf(change) }));
  return JSON.stringify(
    { service: name, port, image: `${image.repository}:${image.tag}`, dryRun, files },
    undefined,
    2,
  );
}

function page({ name, port, image }: NewService, changes: readonly FileChange[], dry: boolean): string {
  const count = (kind: string) => changes.filter((change) => kindOf(change) === kind).length;
  const would = dry ? ' would be' : '';
  return [
    `${name}: an HTTP service on port ${port}, ${image.repository}:${image.tag}`,
    ...changes.map((change) => `  ${kindOf(change).padEnd(7)}  ${change.file}`),
    `${count('new')} files${would} new, ${count('changed')}${would} changed.`,
  ].join('\n');
}

/** What to do next, and what is yours to say. */
function nextSteps({ name, image, port }: NewService): string {
  const values = `helm/${name}/values.yaml`;
  return [
    '',
    'Next:',
    ...columns([
      ['npm run validate', 'holds all of it against the rules'],
      ['npm run diff', 'shows what the cluster would get'],
      [`git add helm/${name} argocd observability standins docs`, ''],
      [`git commit -m "Add ${name}"`, ''],
      ['npm run up', 'registers its Application, and waits until it runs; without a token, as a stand-in'],
    ]),
    '',
    'Yours to say:',
    ...columns([
      ['its image', `${image.repository}:${image.tag} has to answer /health, /info and /metrics on $PORT (${port});`],
      ['', `npm run promote -- ${name} <sha> gives it another one`],
      ['its callers', `networkPolicy.fromServices in ${values}; only Prometheus reaches it now`],
      ['its metrics', `observability/metrics.yaml, and observability/grafana/dashboards/${name}.json shows them`],
    ]),
  ].join('\n');
}
