import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limitedTools } from '../../scripts/checks/validate/run.ts';
import type { Toolbox } from '../../scripts/kubernetes/tools/toolbox.ts';

test('of a hundred programs that the checks run, no more are running than they may', async () => {
  let [running, most] = [0, 0];
  const exec = async (command: readonly string[]) => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    return { stdout: command.join(' '), stderr: '', exitCode: 0 };
  };
  const tools = limitedTools({ exec, toolbox: {} as Toolbox }, 2);
  const ran = await Promise.all(Array.from({ length: 100 }, (_, n) => tools.exec(['helm', String(n)])));
  assert.equal(most, 2);
  assert.deepEqual(
    ran.map(({ stdout }) => stdout),
    ran.map((_, n) => `helm ${n}`),
  );
});
