import { relative } from 'node:path';
import { routeTable, urlOf } from './components/routes.ts';
import { apiHost } from './components/services.ts';
import type { Context } from './context.ts';
import { uncommitted } from './lib/git.ts';
import { columns } from './lib/help.ts';
import { imagesAtHead } from './services.ts';
import { standInsAmong } from './standins.ts';

/** The addresses at which a person finds things. */
export function addresses(context: Context): { title: string; url: string }[] {
  return [
    { title: 'API', url: `${urlOf(context, apiHost)}/info` },
    ...routeTable.map(({ title, host }) => ({ title, url: urlOf(context, host) })),
  ];
}

/** What `up` ends with: that it is done, where things are, and what to try next. */
export async function summary(context: Context, seconds: number, changes: number): Promise<string> {
  const images = await imagesAtHead(context);
  const standIns = await standInsAmong(context, images.values());
  const verdict = changes === 0 ? 'Everything was already as it should be; nothing was changed' : 'The platform is up';
  return [
    '',
    `${verdict} (${seconds.toFixed(1)} s).`,
    '',
    ...columns(addresses(context).map(({ title, url }) => [title, url] as const)),
    '',
    '  Argo CD and Grafana: user admin, passwords by npm run passwords',
    ...standInLines([...standIns]),
    '',
    '  Next: npm run status                        what runs, and from which commit',
    '        edit helm/core-go/values-dev.yaml and git commit: it deploys within seconds',
    '        npm run down                          take all of it away',
  ].join('\n');
}

function standInLines(standIns: readonly string[]): string[] {
  if (standIns.length === 0) return [];
  return [
    '',
    '  These run as stand-ins, small local programs with the same ports, paths and metrics, for want of a token:',
    ...standIns.map((image) => `    ${image} (stand-in)`),
    '  GITHUB_USERNAME and GITHUB_TOKEN in .env bring the real ones: .env.example tells how.',
  ];
}

/** A warning for edits that Argo CD can't see, since it deploys commits. */
export async function uncommittedNote(context: Context): Promise<string[]> {
  if (context.config.gitops) return [];
  const { root } = context.config;
  const files = await uncommitted(context.exec, root, ['helm']);
  if (files.length === 0) return [];
  const { top } = await context.checkout();
  const named = files
    .slice(0, 3)
    .map((file) => relative(root, `${top}/${file}`))
    .join(', ');
  return [`Not deployed, because not committed: ${named}${files.length > 3 ? ` and ${files.length - 3} more` : ''}.`];
}
