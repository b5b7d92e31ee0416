import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { demand, newPerson, type Person } from '../../e2e/support.ts';
import { kill } from './killing.ts';
import { leftOf, objectsOf } from './looking.ts';
import { differences } from './normalised.ts';

const cluster = 'e2e-interruption';
const ports = { http: 28280, https: 28643 };

/** A sample of what `npm run test:interruptions` does at every step and at many random moments. */
describe('a command whose process group is killed', () => {
  let person: Person;
  let expected: Map<string, string>;

  before(async () => {
    person = await newPerson({ cluster, ports });
    await demand(person.npm('up'));
    expected = await objectsOf(person, cluster);
  });
  after(() => person?.remove());

  it('is made up for by up: a reset in the middle, and an up between two steps', async () => {
    assert.ok(expected.size > 100, `${expected.size} objects`);
    assert.equal((await kill(person, cluster, ['reset', '--yes'], { after: 2000 })).killed, true);
    const ran = await kill(person, cluster, ['up'], { step: 'cluster' });
    assert.equal(ran.killed, true, ran.text);
    assert.match(ran.text, /npm run reset \(process \d+\) was killed/);
    await demand(person.npm('up'));
    assert.deepEqual(differences(expected, await objectsOf(person, cluster)), []);
  });

  it('leaves nothing behind once down is run again', async () => {
    assert.equal((await kill(person, cluster, ['down'], { after: 300 })).killed, true);
    const ran = await demand(person.npm('down'));
    assert.match(ran.stdout, /0 left|Nothing to remove/);
    assert.deepEqual(leftOf(person, cluster), []);
  });
});
