import { after, before, describe } from 'node:test';
import { needsTerminal } from '../support/terminal.ts';
import { credentialsPromises } from './credentials-promises.ts';
import { outagePromises } from './outage-promises.ts';
import { promotePromises } from './promote-promises.ts';
import { newPerson, type Person } from './support.ts';

const cluster = 'e2e-real-images';
const ports = { http: 28180, https: 28543 };
/** A file that takes registries down, and two tokens that may read the images: a test machine names them. */
const control = process.env.E2E_REGISTRY_CONTROL;
const token = process.env.E2E_GITHUB_TOKEN;
const other = process.env.E2E_OTHER_GITHUB_TOKEN;
const without = (variables: Record<string, string | undefined>) => {
  const missing = Object.keys(variables).filter((name) => !variables[name]);
  return missing.length > 0 && `not set: ${missing.join(', ')}`;
};

/** Where the services' images come from. One new cluster, on which nothing else asks or loads the services. */
describe("the services' images", () => {
  let person: Person;
  before(async () => {
    person = await newPerson({ cluster, ports, env: token ? { GITHUB_TOKEN: token } : { GHCR_CREDENTIALS: 'none' } });
  });
  after(() => person?.remove());

  const noOutage = without({ E2E_REGISTRY_CONTROL: control, E2E_GITHUB_TOKEN: token });
  describe('a registry that is down while a cluster is made', { skip: noOutage }, () =>
    outagePromises(() => ({ person, control: control ?? '', token: token ?? '' })),
  );
  describe(`a person who promotes ${token ? 'real images' : 'stand-ins'}`, () =>
    promotePromises(() => ({ person, cluster, ports, hasToken: token !== undefined })));
  const noTokens = without({ E2E_GITHUB_TOKEN: token, E2E_OTHER_GITHUB_TOKEN: other }) || needsTerminal.skip;
  describe('credentials', { skip: noTokens }, () =>
    credentialsPromises({ token: token ?? '', other: other ?? '' }, () => ({ person, cluster })),
  );
});
