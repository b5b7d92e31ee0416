import type { ObjectRule } from '../policy/rule.ts';
import { isNamespaced, lookUp, namespaceOf } from './cluster.ts';

/** What an object is called, and where it lives. */
export const identityRules: readonly ObjectRule[] = [
  {
    id: 'namespace-exists',
    demands: 'A plain object names the namespace that it belongs into, and that namespace exists.',
    remedy: 'Set metadata.namespace to a namespace of a manifest here.',
    kinds: [],
    faults(located, all) {
      if (!isNamespaced(located.object.kind)) return [];
      const namespace = namespaceOf(located);
      if (namespace === undefined) {
        return [{ path: ['metadata'], message: 'it has no namespace, so whoever applies it decides.' }];
      }
      if (lookUp(all, 'Namespace', undefined, namespace) !== undefined) return [];
      return [{ path: ['metadata', 'namespace'], message: `there is no namespace ${namespace}.` }];
    },
  },
  {
    id: 'object-is-unique',
    demands: 'No object is there twice.',
    remedy: 'Remove one of them, or give it another name.',
    kinds: [],
    faults(located, all) {
      const twin = all.find(
        (other) =>
          other.object.kind === located.object.kind &&
          other.object.metadata?.name === located.object.metadata?.name &&
          other.object.apiVersion === located.object.apiVersion &&
          namespaceOf(other) === namespaceOf(located),
      );
      if (twin === located || twin === undefined) return [];
      return [{ path: ['metadata', 'name'], message: `${twin.file} has it, too.` }];
    },
  },
];
