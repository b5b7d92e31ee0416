import { applications } from './applications.ts';
import { charts } from './charts.ts';
import type { Check } from './check.ts';
import { dashboards } from './dashboards.ts';
import { files } from './files.ts';
import { kubeScore } from './kube-score.ts';
import { type CheckName, checkNames } from './names.ts';
import { policy } from './policy.ts';
import { prometheus } from './prometheus.ts';
import { promotion } from './promotion.ts';
import { queries } from './queries.ts';
import { references } from './references.ts';
import { schemas } from './schemas.ts';
import { scrape } from './scrape.ts';
import { values } from './values.ts';

const all: Record<CheckName, Check> = {
  files,
  charts,
  schemas,
  policy,
  'kube-score': kubeScore,
  references,
  applications,
  promotion,
  values,
  prometheus,
  scrape,
  dashboards,
  queries,
};

/** Every check, in the order in which they are reported. */
export const checks: readonly Check[] = checkNames.map((name) => all[name]);
