import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';

/** A values file after the platform's CI promoted an image: the real sed, with CI's script. */
export function sed(text: string, image: string, tag: string): string {
  const script = ['-e', `s|repository:.*|repository: ${image}|`, '-e', `s|tag:.*|tag: ${tag}|`];
  const { status, stdout, stderr } = spawnSync('sed', script, { input: text, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout;
}
