import type { ValidationCheck } from '../../repository/rendering/finding.ts';
import { applications } from './applications/index.ts';
import { charts } from './charts/index.ts';
import { dashboards } from './dashboards/index.ts';
import { files } from './files.ts';
import { kubeScore } from './kube-score.ts';
import { type CheckName, checkNames } from './names.ts';
import { policy } from './policy/index.ts';
import { prometheus } from './prometheus/index.ts';
import { scrape } from './prometheus/scrape.ts';
import { promotion } from './promotion.ts';
import { queries } from './queries/index.ts';
import { references } from './references/index.ts';
import { schemas } from './schemas/index.ts';
import { values } from './values/index.ts';

const all: Record<CheckName, ValidationCheck> = {
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
export const checks: readonly ValidationCheck[] = checkNames.map((name) => all[name]);
