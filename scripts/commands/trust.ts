import { homedir } from 'node:os';
import { join } from 'node:path';
import { createContext } from '../context.ts';
import { certificateFile, ensureAuthority } from '../lib/authority.ts';
import { ExitCode, UsageError } from '../lib/errors.ts';
import { columns } from '../lib/help.ts';
import { authorityFolder } from '../tls.ts';
import { type Done, install, remove, storesOf } from '../trust/apply.ts';
import { ways } from '../trust/guide.ts';
import type { Invocation } from './command.ts';

const limits = ['localhost', '*.localhost', '127.0.0.0/8', '::1'];

/** Carries out `npm run trust`. */
export async function runTrust({ config, flags, signal, print }: Invocation): Promise<ExitCode> {
  if (flags.install && flags.remove) {
    throw new UsageError('trust takes --install or --remove, not both.', 'npm run trust -- --install');
  }
  const folder = authorityFolder(config);
  const { x509, made } = await ensureAuthority(folder);
  const authority = { name: x509.subject.replace(/^CN=/, ''), file: certificateFile(folder) };
  const { exec } = createContext(config, { signal });
  const home = config.childEnv.HOME || homedir();
  const stores = storesOf({ exec, home, configHome: config.childEnv.XDG_CONFIG_HOME || join(home, '.config') });
  const done = flags.install ? await install(stores, authority) : flags.remove ? await remove(stores) : [];
  const facts = {
    name: authority.name,
    certificate: authority.file,
    made,
    sha256: x509.fingerprint256,
    expires: new Date(x509.validTo).toISOString(),
    limitedTo: limits,
  };
  const guide = ways(authority.name, authority.file, `https://api.localhost:${config.ports.https}/info`);
  if (flags.json) print(JSON.stringify({ ...facts, ways: guide, done }, undefined, 2));
  else {
    const about = columns([
      ['name', facts.name],
      ['certificate', facts.certificate],
      ['SHA-256', facts.sha256],
      ['valid until', facts.expires.slice(0, 10)],
      ['limited to', `${limits.join(', ')}: it can't vouch for any other site`],
    ]);
    print([`Your local certificate authority${made ? ', made just now' : ''}:`, '', ...about].join('\n'));
    print(done.length > 0 ? report(done) : guidance(guide));
  }
  return done.some(({ result }) => result === 'failed') ? ExitCode.failed : ExitCode.done;
}

function guidance(guide: ReturnType<typeof ways>): string {
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

function report(done: readonly Done[]): string {
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
