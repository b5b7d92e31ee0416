import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { after, before, it } from 'node:test';
import { cutTwice, startOrigin } from '../campaigns/outages/origin.ts';
import { reportIn } from '../support/status-schema.ts';
import { demand, type Person, type Ran } from './support.ts';

const argocdImage = 'quay.io/argoproj/argocd:v3.5.7';

interface Scene {
  person: Person;
  /** A file that takes registries down, `{"down": ["quay.io"]}`. */
  control: string;
  /** A token that may read the images, which the person has in the environment. */
  token: string;
}

/** A registry is down while a new cluster is made, and then it is there again. */
export function outagePromises(scene: () => Scene): void {
  let person: Person;
  const said: string[] = [];
  const heard = async (running: Promise<Ran>) => {
    const ran = await running;
    said.push(ran.text);
    return ran;
  };
  const restore = () => rmSync(scene().control, { force: true });

  before(async () => {
    person = scene().person;
    // Only what has to be downloaded can fail to come; so there is no cache of images.
    person.env.IMAGE_CACHE_GB = '0';
    await person.run(['docker', 'rmi', '--force', argocdImage]);
  });
  after(() => restore());

  it('is named together with the image and what to do, and the rest goes on', async () => {
    writeFileSync(scene().control, JSON.stringify({ down: ['quay.io'] }));
    const ran = await heard(person.npm('up', '--timeout', '120'));
    restore();
    assert.equal(ran.code, 1, ran.text);
    assert.ok(ran.stderr.includes(argocdImage), ran.stderr);
    assert.match(ran.stderr, /could not be pulled from quay\.io/);
    assert.match(ran.stderr, /→ .*docker pull/);
    assert.match(ran.stderr, /✔ prometheus/);
  });

  it('is made up for by the next up, with the real images, though a download is cut twice', async () => {
    const { env, close } = await startOrigin(person, cutTwice);
    const ran = await heard(person.run(['npm', 'run', '--silent', 'up', '--', '--verbose'], { env }));
    close();
    assert.equal(ran.code, 0, ran.text);
    assert.match(ran.stderr, /Tried again: Could not download install\.yaml from \S+: the connection broke off/);
    assert.doesNotMatch(ran.text, /stand-in/);
    const shown = await heard(demand(person.npm('status', '--json')));
    const { applications } = reportIn(shown.stdout);
    assert.equal(applications.length, 3);
    for (const { standIn } of applications) assert.equal(standIn, false);
  });

  it('never shows the token', async () => {
    const { token } = scene();
    await heard(person.npm('doctor'));
    const encoded = Buffer.from(`octocat:${token}`).toString('base64');
    for (const text of said) assert.ok(!text.includes(token) && !text.includes(encoded));
    const found = await person.run(['grep', '-rlF', '-e', token, '-e', encoded, '.state', person.home]);
    assert.equal(found.stdout, '');
  });
}
