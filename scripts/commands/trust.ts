import { installAuthority, removeAuthority, type StoreResult, trustCommands } from '../access/trust.ts';
import { storesOf } from '../access/trust-stores.ts';
import { authorityFolder } from '../config/config.ts';
import { createContext } from '../context.ts';
import { certificateFile, ensureAuthority, readAuthority } from '../lib/certificates/authority.ts';
import { ExitCode, UsageError } from '../lib/errors.ts';
import { columns } from '../lib/text.ts';
import type { Command, Invocation } from './command.ts';

export const trustCommand: Command = {
  description: [
    'The certificates of the local addresses are signed by an authority that `up` makes once for you, on this machine. This',
    'shows where it is and, for each system, how to have it trusted. It can vouch for localhost and what ends in .localhost',
    'only: its key is of no use to deceive you about another site.',
  ].join('\n'),
  flags: {
    install: { type: 'boolean', description: 'Have it trusted where that needs no root rights.' },
    remove: { type: 'boolean', description: 'Undo that, also for an authority of ours that was replaced since.' },
    json: { type: 'boolean', description: 'Print as JSON.' },
  },
  examples: ['npm run trust', 'npm run trust -- --install', 'npm run trust -- --remove'],
  run: runTrust,
};

const limits = ['localhost', '*.localhost', '127.0.0.0/8', '::1'];

async function runTrust({ config, flags, signal, print }: Invocation): Promise<ExitCode> {
  if (flags.install && flags.remove) {
    throw new UsageError('trust takes --install or --remove, not both.', {
      id: 'flags-exclude',
      hint: 'npm run trust -- --install',
    });
  }
  const folder = authorityFolder(config);
  const file = certificateFile(folder);
  // Only what is to be trusted is made: showing and removing create nothing.
  const made = flags.install ? await ensureAuthority(folder) : undefined;
  const x509 = (made ?? (await readAuthority(folder)))?.x509;
  const authority = x509 && { name: x509.subject.replace(/^CN=/, ''), file };
  const { exec } = createContext(config, { signal });
  const stores = storesOf(exec, config);
  const done = flags.remove
    ? await removeAuthority(stores)
    : made && authority
      ? await installAuthority(stores, authority)
      : [];
  const facts = {
    name: authority?.name ?? null,
    certificate: file,
    made: made?.made ?? false,
    sha256: x509?.fingerprint256 ?? null,
    expires: x509 ? new Date(x509.validTo).toISOString() : null,
    limitedTo: limits,
  };
  const guide = authority
    ? trustCommands(authority.name, file, `https://api.localhost:${config.ports.https}/info`)
    : [];
  if (flags.json) print(JSON.stringify({ ...facts, ways: guide, done }, undefined, 2));
  else if (x509) {
    const about = columns([
      ['name', facts.name ?? ''],
      ['certificate', file],
      ['SHA-256', x509.fingerprint256],
      ['valid until', facts.expires?.slice(0, 10) ?? ''],
      ['limited to', `${limits.join(', ')}: it can't vouch for any other site`],
    ]);
    print([`Your local certificate authority${facts.made ? ', made just now' : ''}:`, '', ...about].join('\n'));
    print(done.length > 0 ? report(done) : guidance(guide));
  } else {
    print('There is no local certificate authority yet. npm run up or npm run trust -- --install creates it.');
    if (done.length > 0) print(report(done));
  }
  return done.some(({ result }) => result === 'failed') ? ExitCode.failed : ExitCode.done;
}

function guidance(guide: ReturnType<typeof trustCommands>): string {
  const lines = guide.flatMap(({ system, command, note }) => [
    '',
    `  ${system}${note === undefined ? '' : `: ${note}`}`,
    `    ${command}`,
  ]);
  return [
    '',
    'To have it trusted, on your system or by one program. Restart the browser afterwards.',
    ...lines,
    '',
    'npm run trust -- --install does what needs no root here; npm run trust -- --remove undoes that.',
  ].join('\n');
}

function report(done: readonly StoreResult[]): string {
  const lines = done.map(({ store, result, reason }) => {
    const sign = result === 'failed' ? '✖' : '✔';
    return `${sign} ${store}: ${reason ?? result}`;
  });
  const failed = done.some(({ result }) => result === 'failed');
  return [
    '',
    ...lines,
    '',
    failed ? 'npm run trust shows the commands for each system.' : 'Restart the browser to have it notice.',
  ].join('\n');
}
