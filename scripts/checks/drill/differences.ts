import { shortSha } from '../../lib/git/checkout.ts';
import type { Snapshot } from './snapshot.ts';

export interface Comparison {
  /** In words, what is not as it was. */
  differences: string[];
  /** What was compared, as '31 objects, 1 node and 4 refs'. */
  compared: string;
  /** What could not be, and why. */
  note?: string;
}

/** What a drill has left behind. Where somebody committed meanwhile, what was deployed has changed with it, rightly. */
export function compare(before: Snapshot, after: Snapshot): Comparison {
  const nodes = changed(before.nodes, after.nodes);
  if (before.head !== after.head) {
    const [from, to] = [before.head, after.head].map(shortSha);
    return {
      differences: nodes,
      compared: counted(after.nodes, 'node'),
      note: `Another commit was checked out meanwhile (${from}, now ${to}), so the objects and refs of before tell nothing.`,
    };
  }
  return {
    differences: [...changed(before.objects, after.objects), ...nodes, ...changed(before.refs, after.refs)],
    compared: `${counted(after.objects, 'object')}, ${counted(after.nodes, 'node')} and ${counted(after.refs, 'ref')}`,
  };
}

function changed(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  const names = [...new Set([...before.keys(), ...after.keys()])].toSorted();
  return names.flatMap((name) => {
    const [one, other] = [before.get(name), after.get(name)];
    if (one === other) return [];
    if (one === undefined) return [`${name} was not there before`];
    return [other === undefined ? `${name} is missing` : `${name} is not as it was`];
  });
}

function counted({ size }: ReadonlyMap<string, string>, what: string): string {
  return `${size} ${what}${size === 1 ? '' : 's'}`;
}
