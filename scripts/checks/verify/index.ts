import type { Check } from './check.ts';
import { capacity } from './checks/capacity.ts';
import { discovery } from './checks/discovery.ts';
import { grafana } from './checks/grafana.ts';
import { jobs } from './checks/jobs.ts';
import { labels } from './checks/labels.ts';
import { prometheus } from './checks/prometheus.ts';
import { queries } from './checks/queries.ts';
import { rules } from './checks/rules.ts';
import { services } from './checks/services.ts';
import { targets } from './checks/targets.ts';
import { traffic } from './checks/traffic.ts';
import { type CheckName, checkNames } from './names.ts';

const all: Record<CheckName, Check> = {
  services,
  prometheus,
  discovery,
  targets,
  labels,
  jobs,
  traffic,
  rules,
  grafana,
  queries,
  capacity,
};

/** Every check, cause before effect. */
export const checks: readonly Check[] = checkNames.map((name) => all[name]);
