import { parse } from 'yaml';

/** What may have no data on a healthy platform. */
export interface AllowedEmpty {
  /** A dashboard's uid, the title of one of its panels, and why. */
  panels: { dashboard: string; panel: string; reason: string }[];
  /** What a rule of Prometheus records or alerts under, and why. */
  rules: { rule: string; reason: string }[];
}

export const allowedEmptyFile = 'observability/grafana/allowed-empty.yaml';

/** Reads the list. `npm run validate` is what says whether it is right; what it lacks is empty here. */
export function readAllowedEmpty(text: string): AllowedEmpty {
  const { panels, rules } = (parse(text) ?? {}) as Partial<AllowedEmpty>;
  return { panels: panels ?? [], rules: rules ?? [] };
}
