import { after, describe } from 'node:test';
import { diffPromises } from './diff-promises.ts';
import { drillPromises } from './drill-promises.ts';
import { promotePromises } from './promote-promises.ts';
import { demand, newPerson, type Person, type SharedPlatform } from './support.ts';
import { syncPromises } from './sync-promises.ts';

const cluster = 'e2e-delivery';
const ports = { http: 28280, https: 28643 };

/** What leads from a commit to what runs. All of it shares one cluster, since each part begins at the same commit. */
describe('from a commit to what runs', () => {
  let person: Person | undefined;
  let first: string;
  const platform: SharedPlatform = {
    cluster,
    ports,
    async begin(settings) {
      if (person === undefined) {
        person = await newPerson({ cluster, ports });
        first = (await demand(person.run(['git', 'rev-parse', 'HEAD']))).stdout.trim();
      } else {
        await demand(person.run(['git', 'reset', '--quiet', '--hard', first]));
        await demand(person.run(['git', 'clean', '--quiet', '-fd']));
      }
      for (const name of ['GHCR_CREDENTIALS', 'GITHUB_TOKEN']) delete person.env[name];
      Object.assign(person.env, settings);
      await demand(person.npm('up'));
      return person;
    },
  };
  after(() => person?.remove());

  describe('the working tree, compared with the cluster before it is committed', () => diffPromises(platform));
  describe('commits that are synced', () => syncPromises(platform));
  describe('promotions', () => promotePromises(platform));
  // Last, since its requests have the autoscaler add pods: those before it count pods, and requests that are lost.
  describe('drift and drill', () => drillPromises(platform));
});
