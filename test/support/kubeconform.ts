// kubeconform, with the schemas that npm run validate has: it downloads none.
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastingFolder } from './fakes.ts';
import { type Manifest, root } from './helm.ts';

/** Options of a test that needs it. */
export const needsKubeconform = {
  skip: spawnSync('kubeconform', ['-v']).status === 0 ? false : 'kubeconform is not on the PATH',
};

let written: string | undefined;

/** @returns what kubeconform has to say of the objects, a sentence each. */
export async function conforms(manifests: readonly Manifest[]): Promise<string[]> {
  written ??= writeSchemas();
  const location = join(written, '{{.ResourceKind}}{{.KindSuffix}}.json');
  const { stdout } = await new Promise<{ stdout: string }>((resolve) => {
    const args = ['-strict', '-summary=false', '-output', 'json', '-schema-location', location, '-'];
    const child = execFile('kubeconform', args, { maxBuffer: 64 << 20 }, (_, stdout) => resolve({ stdout }));
    child.stdin?.end(manifests.map((one) => JSON.stringify(one)).join('\n---\n'));
  });
  const { resources } = JSON.parse(stdout) as { resources: { kind: string; name: string; msg: string }[] };
  return resources.map(({ kind, name, msg }) => `${kind} ${name}: ${msg}`);
}

/** A file for each kind: kubeconform looks for them by name. */
function writeSchemas(): string {
  const folder = lastingFolder();
  mkdirSync(folder, { recursive: true });
  const read = (name: string) =>
    JSON.parse(readFileSync(join(root, `scripts/checks/validate/schemas/${name}.json`), 'utf8'));
  const { definitions, kinds } = read('kubernetes');
  const all: Record<string, object> = { ...kinds, ...read('custom-resources').kinds };
  for (const [kind, schema] of Object.entries(all)) {
    // deployment-apps-v1, ingress-networking-v1, pod-v1
    const [name, version, group] = kind.toLowerCase().split('/').reverse();
    const suffix = [group?.split('.')[0], version].filter((part) => part !== undefined).join('-');
    const text = JSON.stringify({ ...schema, definitions }).replaceAll('kubernetes.json#', '#');
    writeFileSync(join(folder, `${name}-${suffix}.json`), text);
  }
  return folder;
}
