import { docker, isAtLeast } from '../../config/versions.ts';
import type { Check } from './check.ts';
import { dockerState } from './docker-state.ts';

/** Docker answers, and is new enough for kind. */
export const checkDocker: Check = async (context) => {
  const check = 'docker';
  const state = await dockerState(context);
  if ('trouble' in state) return { check, level: 'problem', ...state.trouble };
  const { ServerVersion, OperatingSystem } = state.info;
  if (!isAtLeast(ServerVersion, docker.minimum)) {
    return {
      check,
      level: 'problem',
      message: `Docker ${ServerVersion} is too old: kind needs ${docker.minimum} or newer.`,
      remedy: 'Update Docker: https://docs.docker.com/engine/install/.',
    };
  }
  return { check, level: 'ok', message: `Docker ${ServerVersion} answers (${OperatingSystem}).` };
};
