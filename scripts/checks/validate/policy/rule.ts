import type { Located } from '../../../repository/rendering/finding.ts';
import type { FieldPath } from '../../../repository/yaml.ts';
import type { Container, Pod } from './pod.ts';

/** A place that breaks a rule, and what stands there. */
export interface Fault {
  path: FieldPath;
  message: string;
  /** Where the rule's own remedy does not say it all. */
  remedy?: string;
}

interface Described {
  id: string;
  /** One sentence, for `npm run validate -- --rules`. */
  demands: string;
  remedy: string;
}

/** A rule for the pods of a workload. */
export interface PodRule extends Described {
  faults(pod: Pod): Fault[];
}

/** A rule for each container of a pod, which may be exempt by its name. */
export interface ContainerRule extends Described {
  fault(container: Container, pod: Pod): Fault | undefined;
}

/** A rule for objects of some kinds, or of all if none is named. `all` are those that stand in the cluster with them. */
export interface ObjectRule extends Described {
  kinds: readonly string[];
  faults(located: Located, all: readonly Located[]): Fault[];
}
