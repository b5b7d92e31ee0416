import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { newPerson, type Person } from './support.ts';

const ports = { http: 28280, https: 28643 };

/** None of these may touch anything: no cluster comes of them. */
describe('bad input', () => {
  let person: Person;
  before(async () => {
    person = await newPerson({ cluster: 'e2e-bad-input', ports });
  });
  after(() => person?.remove());

  const cases: { what: string; command: string[]; env?: Record<string, string>; dotenv?: string; says: RegExp }[] = [
    {
      what: 'Docker not running',
      command: ['up'],
      env: { DOCKER_HOST: 'unix:///nowhere/docker.sock' },
      says: /Docker/,
    },
    {
      what: 'Docker not running, when going down',
      command: ['down'],
      env: { DOCKER_HOST: 'unix:///nowhere/docker.sock' },
      says: /Docker/,
    },
    {
      what: 'an unknown flag',
      command: ['up', '--', '--tiemout', '5'],
      says: /unknown option '--tiemout'[\s\S]*--timeout/,
    },
    { what: 'a flag without its value', command: ['up', '--', '--timeout', 'soon'], says: /whole number of seconds/ },
    { what: 'an unknown setting', command: ['up'], dotenv: 'CLUSTER_NAM=x\n', says: /CLUSTER_NAM[\s\S]*CLUSTER_NAME/ },
    { what: 'a malformed .env', command: ['status'], dotenv: 'CLUSTER_NAME=x\nghp_canary0000\n', says: /line 2/ },
    { what: 'a bad value', command: ['up'], env: { HTTP_PORT: 'eighty' }, says: /HTTP_PORT must be a port/ },
    { what: 'a flag that npm takes apart', command: ['up', '--timeout', '60'], says: /npm run up -- --timeout/ },
  ];
  for (const { what, command, env = {}, dotenv, says } of cases) {
    it(`${what} gets one sentence and exit code 2`, async () => {
      const file = join(person.clone, '.env');
      if (dotenv !== undefined) writeFileSync(file, dotenv);
      const ran = await person.run(['npm', 'run', '--silent', ...command], { env });
      rmSync(file, { force: true });
      assert.equal(ran.code, 2, ran.text);
      assert.match(ran.stderr, says);
      assert.doesNotMatch(ran.stderr, /ghp_canary|\n +at .*\.ts/);
    });
  }

  it('a taken port is refused with the process that has it', async () => {
    const server = createServer().listen(ports.http, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const ran = await person.npm('up');
    server.close();
    assert.equal(ran.code, 2, ran.text);
    assert.match(ran.stderr, new RegExp(`${ports.http}[\\s\\S]*HTTP_PORT`));
  });

  it('a folder that is no Git checkout is refused', async () => {
    await person.run(['mv', '.git', '.git-away']);
    const ran = await person.npm('up');
    await person.run(['mv', '.git-away', '.git']);
    assert.equal(ran.code, 2, ran.text);
    assert.match(ran.stderr, /not a Git checkout/);
  });

  it('a flag that npm keeps for itself is honoured', async () => {
    const ran = await person.run(['npm', 'run', '--silent', 'status', '--json']);
    // npm itself adds an object of its own to what a failed command printed.
    assert.match(ran.stdout, /^\{\n {2}"ok": false,/);
    assert.equal(ran.code, 1);
  });
});
