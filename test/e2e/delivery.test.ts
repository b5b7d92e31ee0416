import { after, describe } from 'node:test';
import { diffPromises } from './diff-promises.ts';
import { drillPromises } from './drill-promises.ts';
import { newServicePromises } from './new-service-promises.ts';
import { resetPromises } from './reset-promises.ts';
import { sharedPlatform } from './support.ts';
import { syncPromises } from './sync-promises.ts';

/**
 * What leads from a commit to what runs, in a clone that borrows its objects. All of it shares one cluster, since each part
 * begins at the same commit.
 */
describe('from a commit to what runs', () => {
  const platform = sharedPlatform({
    cluster: 'e2e-delivery',
    ports: { http: 28280, https: 28643 },
    env: { GHCR_CREDENTIALS: 'none' },
    borrows: true,
  });
  after(() => platform.remove());

  describe('the working tree, compared with the cluster before it is committed', () => diffPromises(platform));
  describe('commits that are synced', () => syncPromises(platform));
  // After those, since its requests have the autoscaler add pods, which they count.
  describe('drift and drill', () => drillPromises(platform));
  describe('the platform, taken off and put back', () => resetPromises(platform));
  describe('a service that somebody adds', () => newServicePromises(platform));
});
