import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { certificateFile, ensureAuthority, readAuthority } from '../../scripts/lib/certificates/authority.ts';
import { createLocalAuthority, selfSigned } from '../../scripts/lib/certificates/certificate.ts';
import { compiled } from '../support/compiled.ts';
import { refusal, temporaryFolder } from '../support/fakes.ts';

const base = await temporaryFolder();
const newFolder = () => join(mkdtempSync(join(base, 'data ')), 'platform-ops', 'ca');
const mode = (path: string) => statSync(path).mode & 0o777;
const root = process.getuid?.() === 0;

test('an authority is made where there is none, for its user alone, and stays', async () => {
  const folder = newFolder();
  assert.equal(await readAuthority(folder), undefined);
  assert.equal(existsSync(folder), false, 'reading makes nothing');
  const first = await ensureAuthority(folder);
  const second = await ensureAuthority(folder);
  assert.deepEqual([first.made, second.made], [true, false]);
  assert.equal(second.certificate, first.certificate);
  assert.equal((await readAuthority(folder))?.certificate, first.certificate);
  assert.deepEqual([mode(folder), mode(join(folder, 'ca.key'))], [0o700, 0o600]);
  assert.match(first.x509.subject, /^CN=platform-ops local authority [0-9a-f]{8}$/);
  const years = (Date.parse(first.x509.validTo) - Date.now()) / (365 * 24 * 3_600_000);
  assert(years > 9 && years < 11);
});

/** What makes an authority useless, done to one that is fine. */
const harms: [string, (folder: string) => unknown][] = [
  ['has no key', (folder) => rmSync(join(folder, 'ca.key'))],
  ['has no certificate', (folder) => rmSync(certificateFile(folder))],
  ['has a certificate that is none', (folder) => writeFileSync(certificateFile(folder), 'nonsense')],
  ['has an empty key', (folder) => writeFileSync(join(folder, 'ca.key'), '')],
  [
    'was cut short',
    (folder) => writeFileSync(certificateFile(folder), readFileSync(certificateFile(folder)).subarray(0, 200)),
  ],
  [
    'has the key of another',
    async (folder) => writeFileSync(join(folder, 'ca.key'), (await createLocalAuthority('x', 999)).key),
  ],
  ['is about to expire', (folder) => replace(folder, createLocalAuthority('x', 59))],
  ['could vouch for any site', (folder) => replace(folder, selfSigned(['localhost'], 999))],
];
async function replace(folder: string, making: Promise<{ certificate: string; key: string }>) {
  const { certificate, key } = await making;
  writeFileSync(certificateFile(folder), certificate);
  writeFileSync(join(folder, 'ca.key'), key);
}
for (const [what, harm] of harms) {
  test(`an authority that ${what} is made anew`, async () => {
    const folder = newFolder();
    const before = await ensureAuthority(folder);
    await harm(folder);
    const after = await ensureAuthority(folder);
    assert.equal(after.made, true);
    assert.notEqual(after.certificate, before.certificate);
    assert.equal((await ensureAuthority(folder)).certificate, after.certificate);
  });
}

test('an authority from the future is kept and refused: a wrong clock must not cost the trust in it', async (context) => {
  const folder = newFolder();
  const { certificate } = await ensureAuthority(folder);
  const now = Date.now();
  const { mock } = context.mock.method(Date, 'now', () => now - 2 * 3_600_000);
  const { text } = await refusal(() => ensureAuthority(folder));
  assert.match(text, /is not valid before .* GMT, and the clock of this machine says .*\nSet the clock/);
  assert.match(text, /npm run trust -- --remove, then rm -r "/);
  mock.restore();
  assert.equal((await ensureAuthority(folder)).certificate, certificate);
});

test('a key and a folder that others could look into are closed to them', async () => {
  const folder = newFolder();
  const { certificate } = await ensureAuthority(folder);
  chmodSync(folder, 0o755);
  chmodSync(join(folder, 'ca.key'), 0o644);
  assert.equal((await ensureAuthority(folder)).certificate, certificate);
  assert.deepEqual([mode(folder), mode(join(folder, 'ca.key'))], [0o700, 0o600]);
});

for (const part of ['ca.key', '.'] as const) {
  test(`an authority whose ${part === '.' ? 'folder' : 'key'} belongs to another user is refused`, {
    skip: root ? false : 'only root can give a file away',
  }, async () => {
    const folder = newFolder();
    await ensureAuthority(folder);
    chownSync(join(folder, part), 54321, 54321);
    const { text } = await refusal(() => ensureAuthority(folder));
    assert.match(text, /belongs to another user \(54321\)/);
    assert.match(text, /rm -r "/);
  });
}

test('a folder that can’t be made is said, with a way out', async () => {
  const file = join(base, 'a file');
  writeFileSync(file, '');
  const { text } = await refusal(() => ensureAuthority(join(file, 'ca')));
  assert.match(text, /can't be kept in .*ENOTDIR/);
  assert.match(text, /XDG_DATA_HOME/);
});

test('commands that begin at the same time all use the same authority', async () => {
  const program = compiled(`
    import { ensureAuthority } from './scripts/lib/certificates/authority.ts';
    console.log((await ensureAuthority(process.argv[2])).x509.fingerprint256);`);
  const run = (folder: string) =>
    new Promise<string>((resolve, reject) => {
      const child = spawn(process.execPath, [program, folder]);
      let said = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += String(chunk)));
      child.on('error', reject);
      child.on('close', () => resolve(said.trim()));
    });
  const folder = newFolder();
  const printed = await Promise.all(Array.from({ length: 4 }, () => run(folder)));
  assert.match(printed[0] ?? '', /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
  assert.deepEqual(new Set(printed).size, 1, printed.join('\n'));
  assert.equal(printed[0], (await readAuthority(folder))?.x509.fingerprint256);
  assert.equal(existsSync(`${folder}.lock`), false);
});

test('the key shows in no way of printing an authority', async () => {
  const authority = await ensureAuthority(newFolder());
  const body = authority.key.reveal().split('\n')[1] ?? '';
  assert(body.length > 40);
  const shown = [inspect(authority, { depth: 9, showHidden: true }), JSON.stringify(authority), `${authority.key}`];
  assert(!shown.join('\n').includes(body));
});
