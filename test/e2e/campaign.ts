import { it, type TestContext } from 'node:test';

/**
 * Whether all of it is tried, as `npm run test:e2e:all` does. CI leaves out what takes long and is of one kind with
 * something that it does try: another damage, another token, another way to bring a commit.
 */
export const isCampaign = process.env.E2E_ALL !== undefined;

/** Declares a test that only the campaign runs: those around it neither need what it does nor are in its way. */
export function inCampaign(name: string, test: (t: TestContext) => Promise<void>): void {
  if (isCampaign) void it(name, test);
}
