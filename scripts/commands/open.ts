import { type OpenTarget, openTargets, unreachableReason } from '../access/addresses.ts';
import { browserEnvironment, openBrowser } from '../access/browser.ts';
import { assertCluster } from '../cluster/cluster.ts';
import { siteNames } from '../components/passwords.ts';
import { withoutTokens } from '../config/child-environment.ts';
import { createContext } from '../context.ts';
import { ExitCode, UserError } from '../lib/errors.ts';
import { columns } from '../lib/text.ts';
import type { Command, Invocation } from './command.ts';

export const openCommand: Command = {
  description: [
    'Opens the address that the ingress answers at, with xdg-open, open (macOS) or wslview (Windows). Where there is no',
    'browser, prints the address and says so. Without a name, lists the addresses.',
  ].join('\n'),
  flags: { json: { type: 'boolean', description: 'Print as JSON, and open nothing.' } },
  words: siteNames,
  examples: ['npm run open -- grafana', 'npm run open', 'npm run --silent open -- --json'],
  run: runOpen,
};

async function runOpen({ config, flags, word, signal, print, progressStream }: Invocation): Promise<ExitCode> {
  const context = createContext(config, { signal });
  await assertCluster(context);
  const all = await openTargets(context, word);
  const place = all.find(({ name }) => name === word);
  if (flags.json) {
    print(JSON.stringify((place ? [place] : all).map(plain), undefined, 2));
    return ExitCode.done;
  }
  if (!place) {
    const rows = all.map(({ name, url, login }) => [name, `${url}${login ? hintOf(name) : ''}`] as const);
    print([...columns(rows, ''), '', 'npm run open -- NAME opens one of them.'].join('\n'));
    return ExitCode.done;
  }
  const missing = await unreachableReason(context, place);
  if (missing !== undefined)
    throw new UserError(`${place.url} is not opened: ${missing}.`, {
      hint: 'npm run status says what is missing, and how to call what has another name.',
    });
  const why = await openBrowser(place.url, browserEnvironment(config.path, withoutTokens(config.childEnv.user)));
  print(place.url);
  progressStream.write(`${why === undefined ? 'Opened' : `Not opened, ${why}: open it yourself`}.\n`);
  if (place.login) progressStream.write(`User admin; the password: npm run passwords -- ${place.name}\n`);
  progressStream.write('Where the browser warns of the certificate: npm run trust\n');
  return ExitCode.done;
}

function hintOf(name: string): string {
  return `  user admin, the password by npm run passwords -- ${name}`;
}

function plain({ name, url, login }: OpenTarget) {
  return { name, url, ...(login && { user: 'admin' }) };
}
