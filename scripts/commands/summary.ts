import { addresses, addressLines } from '../access/addresses.ts';
import type { Context } from '../images/context.ts';
import { stubsAmong } from '../images/stubs.ts';
import { imagesAtHead } from '../repository/committed-values.ts';

/** What came of it: how much was changed, and which steps decided how long it took, where they are known. */
interface Done {
  changes: number;
  path?: string;
}

/** What `up` ends with: that it is done, where things are, and what to try next. */
export async function summary(context: Context, seconds: number, { changes, path = '' }: Done): Promise<string> {
  const images = await imagesAtHead(context);
  const standIns = await stubsAmong(context, images.values());
  const verdict = changes === 0 ? 'Everything was already as it should be; nothing was changed' : 'The platform is up';
  return [
    '',
    `${verdict} (${seconds.toFixed(1)} s).`,
    ...(path === '' ? [] : [`Critical path: ${path}`]),
    '',
    ...addressLines(await addresses(context)),
    '',
    '  Argo CD and Grafana: user admin, passwords by npm run passwords',
    ...standInLines([...standIns]),
    '',
    '  Next: npm run status                        what runs, and from which commit',
    `        edit helm/core-go/values-${context.config.environment}.yaml and git commit${context.config.gitops ? ' and push' : ''}: it deploys within seconds`,
    '        npm run down                          take all of it away',
    '        npm run trust                         make browsers trust these addresses',
  ].join('\n');
}

function standInLines(standIns: readonly string[]): string[] {
  if (standIns.length === 0) return [];
  return [
    '',
    '  No GitHub token: these services run as local stubs with the same ports, paths and metrics.',
    ...standIns.map((image) => `    ${image} (stand-in)`),
    '  npm run credentials brings the real ones, with a token that may read them.',
  ];
}
