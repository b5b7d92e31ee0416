import { findApiSite } from '../../components/services.ts';
import type { Context } from '../../images/context.ts';
import { Interrupted, UserError } from '../../lib/errors.ts';
import { servicesAtHead } from '../../repository/committed-values.ts';

/** What came of showing a promise. */
export interface DrillOutcome {
  held: boolean;
  /** How long what was promised took. */
  seconds: number;
  /** What was seen, in a few words. */
  evidence: string;
}

/** A promise of the platform that is shown on the live cluster. The cluster is the only state, here as everywhere. */
export interface Drill {
  name: string;
  /** One sentence. */
  promise: string;
  /** Why it can't be shown on this cluster, or undefined. */
  hindrance?(context: Context): Promise<string | undefined>;
  /** Does what it takes to see the promise held. Throws a `UserError` where it doesn't come so far. */
  run(context: Context): Promise<DrillOutcome>;
  /** Repairs what `run` did, however far that came, and waits for it. Does nothing where nothing was done. */
  undo(context: Context): Promise<void>;
  /** Removes what the next drill may need as well, once all drills are over. */
  cleanUp?(context: Context): Promise<void>;
}

/** A service, by the name of its Application, and where that deploys it. */
export interface DrillService {
  name: string;
  namespace: string;
}

/**
 * Which service each drill is about. Argo CD waits longer before each time that it heals the same commit again, so what is
 * changed by hand here gets another commit later on, in another drill, and a second round is as quick as the first.
 */
interface DrillServices {
  /** Behind the ingress: what goes wrong with it, its callers would notice. Undefined where no service is. */
  front: DrillService | undefined;
  /** Asked by the one in front, for each request, or else another one. */
  middle: DrillService;
  /** Nobody calls it, if there are three. */
  back: DrillService;
}

/**
 * Chooses them among the services whose charts say how many pods they have.
 * @throws UserError where there is none.
 */
export async function drillServices(context: Context): Promise<DrillServices> {
  const [services, api] = await Promise.all([servicesAtHead(context), findApiSite(context)]);
  const able = services.filter(({ isScalable, program }) => isScalable && program !== undefined);
  const front = able.find(({ name }) => name === api?.service);
  const others = able.filter((one) => one !== front);
  const middle = others.find(({ name }) => name === api?.upstream) ?? others[0] ?? front;
  if (middle === undefined)
    throw new UserError('No service has a chart with replicaCount and an image, so that there is nothing to drill.', {
      hint: 'npm run new-service creates one.',
    });
  return { front, middle, back: others.find((one) => one !== middle) ?? middle };
}

/** The service behind the ingress. Throws a `UserError` where there is none. */
export async function frontService(context: Context): Promise<DrillService> {
  const { front } = await drillServices(context);
  if (front) return front;
  throw new UserError(`No drill can begin: ${noFront}.`, { hint: 'npm run drill -- --only self-heal,prune' });
}

/** Why a drill that sends requests can't be shown where no service is behind the ingress. */
export async function frontHindrance(context: Context): Promise<string | undefined> {
  return (await drillServices(context)).front === undefined ? noFront : undefined;
}

const noFront = 'no service that it could change is behind the ingress';

/** What came of a drill; one that could not be shown tells why. */
export type DrillResult = { name: string; promise: string } & (DrillOutcome | { held: undefined; skipped: string });

/**
 * Shows one promise, and repairs what that took, whatever comes in between. A promise that could not be seen held in time
 * was not held.
 * @param calm makes a context that an interruption of the command does not end: what was begun is undone in it
 * @throws Interrupted, and a UserError for what could not be repaired
 */
export async function performDrill(drill: Drill, context: Context, calm: () => Context): Promise<DrillResult> {
  const { name, promise } = drill;
  const skipped = await drill.hindrance?.(context);
  if (skipped !== undefined) return { name, promise, held: undefined, skipped };
  const started = performance.now();
  let outcome: DrillOutcome;
  try {
    outcome = await drill.run(context);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    outcome = { held: false, seconds: (performance.now() - started) / 1000, evidence: error.message };
  } finally {
    await undo(drill, calm());
  }
  if (context.signal.aborted) throw new Interrupted();
  return { name, promise, ...outcome };
}

async function undo(drill: Drill, context: Context): Promise<void> {
  try {
    await drill.undo(context);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`What the drill ${drill.name} did could not be undone: ${error.message}`, {
      hint: 'npm run up repairs it.',
      cause: error,
    });
  }
}
