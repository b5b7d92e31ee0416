import { compareVersions, parseVersion } from '../../config/versions.ts';
import type { DoctorCheck } from './check.ts';
import { dockerInfo } from './docker.ts';

/**
 * The kubelet runs on this kernel's cgroups. From Kubernetes 1.35 on it refuses version 1 of them
 * (release notes of kind v0.31.0).
 */
export const checkCgroup: DoctorCheck = async (context) => {
  const info = await dockerInfo(context);
  const kubernetes = parseVersion(context.kubernetesVersion ?? '');
  if (info === undefined || kubernetes === undefined) return [];
  const check = 'cgroup';
  const refusesOld = compareVersions(kubernetes, { major: 1, minor: 35, patch: 0 }) >= 0;
  if (info.CgroupVersion !== '1' || !refusesOld) {
    return {
      check,
      level: 'ok',
      message: `cgroup v${info.CgroupVersion} suits Kubernetes ${context.kubernetesVersion}.`,
    };
  }
  return {
    check,
    level: 'problem',
    errorId: 'cgroup-v1',
    message: `Docker uses cgroup v1, which Kubernetes ${context.kubernetesVersion} no longer runs on.`,
    remedy:
      'Use a system with cgroup v2 (every current Linux; update Docker Desktop or Colima), or set KIND_NODE_IMAGE to a node image of Kubernetes 1.34. If your node image is configured to accept cgroup v1: --ignore-checks cgroup.',
  };
};
