import { portHolder, probePort } from '../../lib/ports.ts';
import type { DoctorCheck, DoctorContext, DoctorFinding } from './check.ts';
import { dockerInfo } from './docker.ts';

/** The two ports that a browser reaches the platform at are free, unless the cluster holds them already. */
export const checkFreePorts: DoctorCheck = async (context) => {
  if (await context.clusterExists) return [];
  const { http, https } = context.ports;
  return Promise.all([checkFreePort(context, 'HTTP_PORT', http), checkFreePort(context, 'HTTPS_PORT', https)]);
};

async function checkFreePort(context: DoctorContext, setting: string, port: number): Promise<DoctorFinding> {
  const check = `port ${port}`;
  const another = `set ${setting} in .env to a free port, for example ${port + 1000 <= 65535 ? port + 1000 : 8080}`;
  const state = await probePort(port);
  if (state === 'taken') {
    const holder = await portHolder(context.exec, port);
    return {
      check,
      level: 'problem',
      errorId: 'ports-taken',
      message: `Port ${port} of 127.0.0.1 is taken by ${holder?.who ?? 'another process'}.`,
      remedy: `${holder?.stop ?? 'Stop that process'}, or ${another}.`,
    };
  }
  // Docker opens the port, and usually runs as root: only a rootless one is as limited as this user is.
  if (state === 'forbidden' && (await dockerInfo(context))?.SecurityOptions?.some((one) => one.includes('rootless'))) {
    return {
      check,
      level: 'problem',
      errorId: 'ports-privileged',
      message: `Docker runs without root and may not open port ${port}, as it is below 1024.`,
      remedy: `Allow it (sudo sysctl net.ipv4.ip_unprivileged_port_start=${port}), or ${another}.`,
    };
  }
  return { check, level: 'ok', message: `Port ${port} of 127.0.0.1 is free.` };
}
