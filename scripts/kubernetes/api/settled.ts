import type { KubeObject } from '../objects.ts';
import { ApiError, Unreachable } from './api.ts';

/** What the metadata of an object would be once it was applied, by a dry run. */
export type Predict = (object: KubeObject) => Promise<KubeObject>;

/**
 * Whether applying the objects would change nothing, as far as the API server tells: the time stamp of the manager's fields
 * would stay that of before `started`. The last one is asked for first: in a new cluster it is missing, and nothing else
 * need be asked.
 */
export async function wouldStay(
  objects: readonly KubeObject[],
  { manager, predict, started }: { manager: string; predict: Predict; started: number },
): Promise<boolean> {
  const stays = async (object: KubeObject) => {
    const { managedFields = [], creationTimestamp } = (await predict(object)).metadata;
    const own = managedFields.find((one) => one.manager === manager && one.operation === 'Apply');
    // Of an object that is nothing but its name, no field is anybody's: it is there or would be made.
    const changed = own ? own.time : creationTimestamp;
    return changed !== undefined && Date.parse(changed) < started;
  };
  try {
    const [last, ...others] = objects.toReversed();
    return last === undefined || ((await stays(last)) && (await Promise.all(others.map(stays))).every(Boolean));
  } catch (error) {
    // kubectl says what is wrong, or waits until it has passed.
    if (error instanceof ApiError || error instanceof Unreachable) return false;
    throw error;
  }
}
