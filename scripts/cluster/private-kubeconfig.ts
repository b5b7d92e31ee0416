import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import type { Context } from '../images/context.ts';

/** Writes the private kubeconfig of this cluster, where it is not as it should be. Nobody else can read it. */
export async function keepKubeconfig(context: Context, text: string): Promise<void> {
  const known = await readFile(context.kubeconfig, 'utf8').catch(() => '');
  if (known === text) return;
  await mkdir(context.config.stateDir, { recursive: true, mode: 0o700 });
  // Whoever reads it meanwhile sees the old one or the new one, never half of it.
  const whole = `${context.kubeconfig}.new`;
  await rm(whole, { force: true });
  await writeFile(whole, text, { mode: 0o600 });
  await rename(whole, context.kubeconfig);
  context.reconnect();
}
