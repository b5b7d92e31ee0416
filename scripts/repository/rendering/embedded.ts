import type { FieldPath } from './located.ts';
import type { Located, Repository } from './repository.ts';

/** A file that a ConfigMap carries. */
export interface Embedded {
  configMap: Located;
  /** The key of the ConfigMap: the name of the file where it is mounted. */
  key: string;
  text: string;
  /** The file itself, or the manifest that it is written into; relative to the root. */
  file: string;
  /** Where in that the carried file's line `n` stands, from 1. */
  line(n: number): number | undefined;
}

/** Every text in the ConfigMaps of the manifests below a folder, in their order. */
export async function embeddedTexts(repository: Repository, folder: string): Promise<Embedded[]> {
  const manifests = await repository.manifests();
  const configMaps = manifests.filter(({ object, file }) => object.kind === 'ConfigMap' && file.startsWith(folder));
  const found = await Promise.all(
    configMaps.map(async (configMap) => {
      const { object, file, carries } = configMap;
      if (carries) return carriedTexts(configMap, carries);
      const source = (await repository.text(file)).split('\n');
      const texts = Object.entries((object.data ?? {}) as Record<string, unknown>);
      return texts.map(([key, text]) => ({
        configMap,
        key,
        text: String(text),
        file,
        line: (n: number) => embeddedLine(source, configMap.line(['data', key] satisfies FieldPath), n),
      }));
    }),
  );
  return found.flat();
}

function carriedTexts(configMap: Located, carries: ReadonlyMap<string, string>): Embedded[] {
  const texts = configMap.object.data as Record<string, string>;
  return [...carries].map(([key, file]) => ({ configMap, key, text: texts[key] ?? '', file, line: (n) => n }));
}

/**
 * The line of a manifest that holds line `n` of a text whose key stands on `keyLine`; all from 1. Only a literal block
 * (`|`) keeps its lines: of any other text the key's line is all that can be said.
 */
export function embeddedLine(source: readonly string[], keyLine: number | undefined, n: number): number | undefined {
  if (keyLine === undefined) return undefined;
  const isBlock = /:\s*\|[-+0-9]*\s*(#.*)?$/.test(source[keyLine - 1] ?? '');
  return isBlock ? keyLine + n : keyLine;
}
