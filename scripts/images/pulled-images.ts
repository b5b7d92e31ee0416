import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Which images Docker did not have before we asked for them: those are ours to remove. A line each. */
function fileIn(cacheDir: string): string {
  return join(cacheDir, 'pulled-images');
}

export async function notePulled(cacheDir: string, image: string): Promise<void> {
  await mkdir(cacheDir, { recursive: true });
  await appendFile(fileIn(cacheDir), `${image}\n`);
}

export async function pulledImages(cacheDir: string): Promise<string[]> {
  const text = await readFile(fileIn(cacheDir), 'utf8').catch(() => '');
  return [...new Set(text.split('\n').filter(Boolean))];
}
