import type { ApiServer } from '../../scripts/kubernetes/api/api.ts';
import { groupOf, identityOf, type KubeObject, type Metadata, nameOf } from '../../scripts/kubernetes/objects.ts';
import type { ExecOptions } from '../../scripts/lib/exec.ts';
import { CommandError } from '../../scripts/lib/exec.ts';

const namespaced = (object: KubeObject) => object.metadata.namespace !== undefined;
const plural = (kind: string) => `${kind.toLowerCase()}${/s$/i.test(kind) ? 'es' : 's'}`.replace(/cys$/, 'cies');
let uids = 0;

/** An object with a uid, as a cluster has it. */
export function made(kind: string, name: string, metadata: Partial<Metadata> = {}, apiVersion = 'v1'): KubeObject {
  uids += 1;
  return { apiVersion, kind, metadata: { uid: `uid-${uids}`, name, ...metadata } };
}

export interface FakeCluster {
  objects: KubeObject[];
  /** Every kubectl call: its arguments and the names of what it was given. */
  calls: { args: readonly string[]; names: string[] }[];
  /** The names of what was deleted, in order. */
  deleted: string[];
  api: () => Pick<ApiServer, 'list' | 'listMetadata' | 'json'>;
  kubectl: () => Promise<{
    run(args: readonly string[], options?: ExecOptions): Promise<unknown>;
    apply(): Promise<string[]>;
  }>;
}

/**
 * A cluster that keeps objects until kubectl deletes them: a namespace takes what is in it, an owner what it owns, and
 * what has a finalizer stays until that is lifted. `fault` is what kubectl says in place of deleting.
 */
export function fakeCluster(initial: readonly KubeObject[], fault?: string): FakeCluster {
  const fake: FakeCluster = {
    objects: initial.map((object, index) => ({
      ...object,
      metadata: { uid: `initial-${index}`, ...object.metadata },
    })),
    calls: [],
    deleted: [],
    api: () => ({
      list: async <T extends KubeObject>(apiVersion: string, kind: string, namespace?: string) =>
        ofKind(apiVersion, kind).filter(
          ({ metadata }) => namespace === undefined || metadata.namespace === namespace,
        ) as T[],
      listMetadata: async (apiVersion, kind) => ofKind(apiVersion, kind),
      json: async <T>(path: string) => discovery(path) as T,
    }),
    kubectl: async () => ({ run, apply: async () => [] }),
  };
  const ofKind = (apiVersion: string, kind: string) =>
    fake.objects.filter((object) => groupOf(object.apiVersion) === groupOf(apiVersion) && object.kind === kind);

  const discovery = (path: string) => {
    const versions = [...new Set(fake.objects.map(({ apiVersion }) => apiVersion))];
    if (path === '/apis') {
      const groups = versions.filter((version) => version.includes('/')).map((groupVersion) => ({ groupVersion }));
      return { groups: groups.map((version) => ({ preferredVersion: version, versions: [version] })) };
    }
    const kinds = fake.objects.filter(({ apiVersion }) => path.endsWith(`/${apiVersion}`)).map(({ kind }) => kind);
    const verbs = ['list', 'delete'];
    return { resources: [...new Set(kinds)].map((kind) => ({ name: plural(kind), kind, verbs })) };
  };

  const run = async (args: readonly string[], { input = '' }: ExecOptions = {}) => {
    const done = { stdout: '', stderr: '', exitCode: 0 };
    if (args[0] === 'patch') {
      lift(String(args[2]));
      return done;
    }
    if (args[0] !== 'delete') return done;
    if (fault !== undefined) throw new CommandError(args, { stdout: '', stderr: `first\n${fault}\n`, exitCode: 1 });
    const heads = `${input}`.split('\n---\n').map((text) => JSON.parse(text) as KubeObject);
    fake.calls.push({ args, names: heads.map(nameOf) });
    for (const head of heads) drop(head);
    return done;
  };

  function drop(head: KubeObject): void {
    const object = fake.objects.find((one) => identityOf(one) === identityOf(head));
    if (!object) return;
    object.metadata.deletionTimestamp = '2026-01-02T03:04:05Z';
    if (object.metadata.finalizers?.length) return;
    fake.objects = fake.objects.filter((one) => one !== object);
    fake.deleted.push(nameOf(object));
    const goes = (one: KubeObject) =>
      (object.kind === 'Namespace' && namespaced(one) && one.metadata.namespace === object.metadata.name) ||
      one.metadata.ownerReferences?.some(({ uid }) => uid === object.metadata.uid);
    for (const one of fake.objects.filter(goes)) drop(one);
  }

  function lift(name: string): void {
    for (const object of fake.objects.filter(({ metadata }) => metadata.name === name)) {
      object.metadata.finalizers = [];
      if (object.metadata.deletionTimestamp) drop(object);
    }
  }
  return fake;
}
