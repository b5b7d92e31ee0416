import { table } from '../../../scripts/lib/text.ts';
import type { Taken } from './argo-cd.ts';
import type { Measured } from './measure.ts';

/** What was measured with a number of services. */
export interface Size {
  services: number;
  commands: Record<string, Measured>;
  argoCd?: Taken;
}

/** Seconds of each command by size, what a service adds from size to size, and how that compares with the sizes. */
export function wallTable(sizes: readonly Size[]): string[] {
  return [
    'Seconds that a person waits:',
    ...byCommand(sizes, 'wall', (value) => value.toFixed(1)),
    '',
    'Seconds of processors here:',
    ...byCommand(sizes, 'cpu', (value) => value.toFixed(1)),
    '',
    'Most memory of the command itself, MiB:',
    ...byCommand(sizes, 'peak', (value) => value.toFixed(0)),
  ];
}

function byCommand(sizes: readonly Size[], what: 'wall' | 'cpu' | 'peak', show: (value: number) => string): string[] {
  const names = [...new Set(sizes.flatMap(({ commands }) => Object.keys(commands)))];
  const steps = sizes.slice(1).map((size, index) => [sizes[index] as Size, size] as const);
  const head = [
    '',
    ...sizes.map(({ services }) => String(services)),
    ...steps.flatMap(([from, to]) => [`a service, ${from.services} to ${to.services}`, 'ratio', 'of linear']),
  ];
  const rows = names.map((name) => {
    const value = ({ commands }: Size) => commands[name]?.[what];
    const cells = steps.flatMap(([from, to]) => {
      const [before, after] = [value(from), value(to)];
      if (before === undefined || after === undefined) return ['', '', ''];
      const each = (after - before) / (to.services - from.services);
      return [each.toFixed(3), (after / before).toFixed(2), (to.services / from.services).toFixed(2)];
    });
    return [name, ...sizes.map((size) => shown(value(size), show)), ...cells];
  });
  return table([head, ...rows]);
}

function shown(value: number | undefined, show: (value: number) => string): string {
  return value === undefined ? '-' : show(value);
}

/** What Argo CD's programs have in memory, and what they worked since the size before. */
export function argoCdTable(sizes: readonly Size[]): string[] {
  const rows = sizes.flatMap(({ services, argoCd = {} }, index) =>
    Object.entries(argoCd).map(([program, { memory, cpu }]) => {
      const before = sizes[index - 1]?.argoCd?.[program]?.cpu ?? 0;
      return [String(services), program, `${memory.toFixed(0)} MiB`, `${(cpu - before).toFixed(0)} s`];
    }),
  );
  return table([['services', "Argo CD's", 'memory', 'CPU since the size before'], ...rows]);
}
