import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { installAuthority, removeAuthority, trustCommands } from '../../scripts/access/trust.ts';
import { storesOn } from '../../scripts/access/trust-stores.ts';
import { trustCommand } from '../../scripts/commands/trust.ts';
import { loadConfig } from '../../scripts/config/config.ts';
import { ensureAuthority } from '../../scripts/lib/certificates/authority.ts';
import { ExitCode, UsageError } from '../../scripts/lib/errors.ts';
import { fakeExec, refusal, temporaryFolder } from '../support/fakes.ts';

const base = await temporaryFolder();
const newHome = () => mkdtempSync(join(base, 'home '));
const needsCertutil = {
  skip: spawnSync('certutil', ['--help']).error === undefined ? false : 'certutil is not on the PATH',
};
const name = 'platform-ops local authority 0123abcd';
const stale = 'platform-ops local authority ffffffff';
const authority = { name, file: '/data/ca.crt' };

/** Runs the command as a person with this home, and hands back what it printed. */
async function run(home: string, flags: Record<string, boolean>, path = process.env.PATH ?? '') {
  const config = loadConfig(home, { HOME: home, PATH: path });
  let text = '';
  const code = await trustCommand.run({
    config,
    flags,
    word: undefined,
    signal: new AbortController().signal,
    print: (line) => {
      text += `${line}\n`;
    },
    progressStream: process.stderr,
  });
  return { code, text, folder: join(config.dataDir, 'ca') };
}

for (const flags of [{}, { json: true }, { remove: true }] as Record<string, boolean>[]) {
  test(`trust with ${JSON.stringify(flags)} creates no authority, and no other file`, async () => {
    const home = newHome();
    const { code, text } = await run(home, flags, '/usr/bin:/bin');
    assert.equal(code, ExitCode.done, text);
    assert.deepEqual(readdirSync(home), []);
    if (flags.json) assert.deepEqual(facts(text), [null, null, null, false, []]);
    else assert.match(text, /no local certificate authority yet.*npm run up or npm run trust -- --install/);
  });
}

function facts(text: string): unknown[] {
  const { name, sha256, expires, made, ways } = JSON.parse(text) as Record<string, unknown>;
  return [name, sha256, expires, made, ways];
}

test('it shows file, fingerprint, end and limit, but no key', async () => {
  const home = newHome();
  await ensureAuthority(join(loadConfig(home, { HOME: home }).dataDir, 'ca'));
  const first = await run(home, {});
  const second = await run(home, {});
  assert.match(second.text, /^Your local certificate authority:/);
  assert.equal(first.code, ExitCode.done);
  for (const part of [
    join(first.folder, 'ca.crt'),
    /SHA-256 +([0-9A-F]{2}:){31}/,
    /valid until +20\d\d-/,
    /limited to +localhost/,
  ])
    assert(typeof part === 'string' ? first.text.includes(part) : part.test(first.text), String(part));
  const key = readFileSync(join(first.folder, 'ca.key'), 'utf8').split('\n')[1] ?? '';
  const json = await run(home, { json: true });
  for (const { text } of [first, second, json]) assert(key.length > 40 && !text.includes(key));
});

test('to a program it tells the same as JSON', async () => {
  const home = newHome();
  await ensureAuthority(join(loadConfig(home, { HOME: home }).dataDir, 'ca'));
  const { text, folder } = await run(home, { json: true });
  const said = JSON.parse(text) as Record<string, unknown> & { ways: { system: string; command: string }[] };
  assert.equal(said.certificate, join(folder, 'ca.crt'));
  assert.deepEqual([said.made, said.done], [false, []]);
  assert.deepEqual(said.limitedTo, ['localhost', '*.localhost', '127.0.0.0/8', '::1']);
  for (const system of [
    'macOS',
    'Debian, Ubuntu',
    'Fedora, RHEL',
    'Arch Linux',
    'curl',
    'Node.js',
    'Python',
    'Windows, from WSL',
  ])
    assert(
      said.ways.some((way) => way.system === system && way.command.includes(join(folder, 'ca.crt'))),
      system,
    );
});

test('install and remove together are refused', async () => {
  const { error } = await refusal(() => run(newHome(), { install: true, remove: true }));
  assert(error instanceof UsageError);
});

test('a path with a blank or a quote stays one word of the shell', () => {
  for (const file of ["/home/ann/it's mine/ca.crt", '/home/$HOME/ca.crt', '/plain/ca.crt']) {
    const way = trustCommands(name, file, 'https://api.localhost').find(({ system }) => system === 'Arch Linux');
    const words = way?.command.replace('sudo trust anchor --store ', '') ?? '';
    assert.equal(spawnSync('sh', ['-c', `printf %s ${words}`], { encoding: 'utf8' }).stdout, file);
  }
});

test('Chrome and every profile of Firefox come to trust it, once; and it is taken back', needsCertutil, async () => {
  const home = newHome();
  const profiles = ['.mozilla/firefox/a b.default', '.config/mozilla/firefox/new.default'].map((path) =>
    join(home, path),
  );
  for (const profile of profiles) {
    mkdirSync(profile, { recursive: true });
    assert.equal(spawnSync('certutil', ['-N', '--empty-password', '-d', `sql:${profile}`]).status, 0);
  }
  const databases = [join(home, '.pki/nssdb'), ...profiles];
  const trusted = () =>
    databases.map((folder) =>
      /platform-ops local authority \S+ +C,,/.test(
        spawnSync('certutil', ['-L', '-d', `sql:${folder}`], { encoding: 'utf8' }).stdout,
      ),
    );
  const said = async (flag: string) => {
    const { code, text } = await run(home, { [flag]: true });
    assert.equal(code, ExitCode.done, text);
    return [...text.matchAll(/^✔ \S+, .*: (.*)$/gm)].map(([, result]) => result);
  };
  assert.deepEqual(await said('install'), Array(3).fill('trusted'));
  assert.deepEqual(trusted(), [true, true, true]);
  assert.deepEqual(await said('install'), Array(3).fill('trusted before'));
  assert.deepEqual(await said('remove'), Array(3).fill('removed'));
  assert.deepEqual(trusted(), [false, false, false]);
  assert.deepEqual(await said('remove'), Array(3).fill('nothing to remove'));
});

test('without certutil it says what to install, changes nothing and fails', async () => {
  const home = newHome();
  const bin = join(home, 'bin');
  mkdirSync(bin);
  const { code, text } = await run(home, { install: true }, bin);
  assert.equal(code, ExitCode.failed);
  assert.match(text, /✖ Chrome.*libnss3-tools/);
  assert(!readdirSync(home).includes('.pki'));
});

const reach = (exec: ReturnType<typeof fakeExec>) => ({ exec, home: '/Users/ann', configHome: '/Users/ann/.config' });

test('on macOS the login keychain is asked for all of it', async () => {
  const keychain = '/Users/ann/Library/Keychains/login.keychain-db';
  let there: string[] = [stale];
  const exec = fakeExec((line) => {
    if (line.includes('find-certificate')) return { stdout: there.map((one) => `"labl"<blob>="${one}"\n`).join('') };
    if (line.includes('dump-trust-settings'))
      return there.includes(name) ? { stdout: `Cert 0: ${name}\n` } : { exitCode: 1 };
    return undefined;
  });
  const stores = storesOn('darwin', '25.0.0', reach(exec));
  const [first] = await installAuthority(stores, authority);
  assert.equal(first?.result, 'trusted');
  assert.equal(exec.lines().at(-1), `security add-trusted-cert -r trustRoot -k ${keychain} /data/ca.crt`);
  there = [stale, name];
  assert.equal((await installAuthority(stores, authority))[0]?.result, 'trusted before');
  assert.equal((await removeAuthority(stores))[0]?.result, 'removed');
  assert.deepEqual(
    exec.lines().slice(-2),
    [stale, name].map((one) => `security delete-certificate -t -c ${one} ${keychain}`),
  );
});

test('a person who says no to the system’s question is told what failed', async () => {
  const exec = fakeExec((line) =>
    line.includes('add-trusted-cert')
      ? { exitCode: 1, stderr: 'The authorization was canceled by the user.' }
      : undefined,
  );
  const [done] = await installAuthority(storesOn('darwin', '25.0.0', reach(exec)), authority);
  assert.equal(done?.result, 'failed');
  assert.match(done?.reason ?? '', /canceled by the user/);
});

test('in WSL the Windows user’s store comes on top, by the path that Windows knows', async () => {
  let there = '';
  const exec = fakeExec((line) => {
    if (line.startsWith('certutil --help')) return { exitCode: 127 };
    if (line.startsWith('wslpath')) return { stdout: '\\\\wsl.localhost\\data\\ca.crt\n' };
    if (line === 'certutil.exe -user -store Root') return { stdout: there };
    return undefined;
  });
  const stores = storesOn('linux', '5.15.90.1-microsoft-standard-WSL2', reach(exec));
  assert.deepEqual(
    (await installAuthority(stores, authority)).map(({ result }) => result),
    ['failed', 'trusted'],
    'a store that can’t be reached keeps the next from nothing',
  );
  assert.equal(exec.lines().at(-1), 'certutil.exe -user -addstore Root \\\\wsl.localhost\\data\\ca.crt');
  there = `Issuer: CN=${name}\r\nSubject: CN=${name}\r\n`;
  assert.equal((await installAuthority(stores, authority))[1]?.result, 'trusted before');
  assert.equal((await removeAuthority(stores))[1]?.result, 'removed');
  assert.equal(exec.lines().at(-1), `certutil.exe -user -delstore Root ${name}`);
});

test('a Linux that is not WSL has no Windows store', () => {
  const titles = storesOn('linux', '6.8.0-generic', reach(fakeExec(() => undefined))).map(({ title }) => title);
  assert.deepEqual(titles, ['Chrome, /Users/ann/.pki/nssdb']);
});
