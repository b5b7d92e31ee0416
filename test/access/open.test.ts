import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { unreachableReason } from '../../scripts/access/addresses.ts';
import { type BrowserEnvironment, openBrowser } from '../../scripts/access/browser.ts';
import { siteNames } from '../../scripts/components/passwords.ts';
import { fakeContext, temporaryFolder } from '../support/fakes.ts';

const url = 'https://grafana.localhost:8443';
const folder = await temporaryFolder();
let count = 0;

/** A folder with programs that write down what they are given, and end with that exit code. */
async function programs(...names: [name: string, code?: number][]): Promise<string> {
  count += 1;
  const path = join(folder, String(count));
  await mkdir(path);
  for (const [name, code = 0] of names) {
    const file = join(path, name);
    await writeFile(file, `#!/bin/sh\nprintf '%s' "${name} $*" > '${path}/called'\nexit ${code}\n`);
    await chmod(file, 0o755);
  }
  return path;
}

const around = (path: string, parts: Partial<BrowserEnvironment> = {}): BrowserEnvironment => ({
  platform: 'linux',
  path,
  env: { PATH: '/usr/bin:/bin', DISPLAY: ':0' },
  isWsl: false,
  ...parts,
});
const called = (path: string) => (existsSync(join(path, 'called')) ? readFileSync(join(path, 'called'), 'utf8') : '');

const systems: [what: string, parts: Partial<BrowserEnvironment>, program: string][] = [
  ['Linux', {}, 'xdg-open'],
  ['Linux with Wayland', { env: { PATH: '/bin', WAYLAND_DISPLAY: 'wayland-0' } }, 'xdg-open'],
  ['macOS', { platform: 'darwin', env: { PATH: '/bin' } }, 'open'],
  ['Linux inside of Windows', { isWsl: true, env: { PATH: '/bin' } }, 'wslview'],
];
for (const [what, parts, program] of systems) {
  test(`on ${what} it is ${program} that opens the address`, async () => {
    const path = await programs(['xdg-open'], ['open'], ['wslview']);
    assert.equal(await openBrowser(url, around(path, parts)), undefined);
    assert.equal(called(path), `${program} ${url}`);
  });
}

test('inside of Windows without wslview, xdg-open does', async () => {
  const path = await programs(['xdg-open']);
  assert.equal(await openBrowser(url, around(path, { isWsl: true })), undefined);
  assert.equal(called(path), `xdg-open ${url}`);
});

test('why nothing was opened is said: no program, no screen, or what it ended with', async () => {
  assert.match((await openBrowser(url, around(await programs()))) ?? '', /no xdg-open on the PATH/);
  const path = await programs(['xdg-open']);
  assert.match((await openBrowser(url, around(path, { env: {} }))) ?? '', /no screen/);
  assert.equal(called(path), '', 'it is not even tried');
  assert.match(
    (await openBrowser(url, around(await programs(['xdg-open', 3])))) ?? '',
    /xdg-open ended with exit code 3/,
  );
});

test("production's name is not opened, since it leads elsewhere", async () => {
  const site = { host: 'api.example.com', secret: undefined };
  const place = { name: 'api', site, url: 'http://api.example.com', health: '/info', login: false };
  assert.match((await unreachableReason(fakeContext({}), place)) ?? '', /leads a browser to another machine/);
  assert.deepEqual([...siteNames], ['api', 'argocd', 'prometheus', 'grafana']);
});
