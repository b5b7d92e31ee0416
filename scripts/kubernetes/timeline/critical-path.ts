/** A step of a graph: when it ran, in milliseconds, and the names of those that it had to wait for. */
export interface TimedStep {
  name: string;
  needs: readonly string[];
  start: number;
  end: number;
}

/**
 * The steps that decided how long it took, first things first: the last that was done, before it the last done of those
 * that it needed, and so on. Empty where nothing ran.
 */
export function criticalPath<T extends TimedStep>(steps: readonly T[]): T[] {
  const last = latest(steps);
  const path: T[] = [];
  for (let step = last; step; ) {
    path.unshift(step);
    const { needs } = step;
    step = latest(steps.filter(({ name }) => needs.includes(name)));
  }
  return path;
}

/** The same for a person: 'cluster 16.2 s → argo-cd 12.1 s'. What took less than a tenth of a second is left out. */
export function pathLine(steps: readonly TimedStep[]): string {
  return criticalPath(steps)
    .map(({ name, start, end }) => ({ name, seconds: (end - start) / 1000 }))
    .filter(({ seconds }) => seconds >= 0.1)
    .map(({ name, seconds }) => `${name} ${seconds.toFixed(1)} s`)
    .join(' → ');
}

function latest<T extends TimedStep>(steps: readonly T[]): T | undefined {
  return steps.reduce<T | undefined>((found, step) => (found && found.end >= step.end ? found : step), undefined);
}
