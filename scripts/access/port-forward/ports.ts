import { UsageError } from '../../lib/errors.ts';
import type { Exec } from '../../lib/exec.ts';
import { portHolder, probePort } from '../../lib/ports.ts';
import type { Destination } from './destinations.ts';
import { type Door, openDoor } from './door.ts';

/**
 * The port of each destination: its own, or what `--port` says for it, as `9091` where there is one destination, or as
 * `grafana=3001,argocd=8082`. Throws a `UsageError` for what makes no sense, and for a port that two of them would share.
 */
export function portsFor(chosen: readonly Destination[], text: string | undefined): Map<Destination, number> {
  const ports = new Map(chosen.map((destination) => [destination, destination.localPort]));
  for (const part of text?.split(',') ?? []) {
    const [, name, number = ''] = /^(?:([^=]*)=)?(.*)$/.exec(part) ?? [];
    const destination = chosen.find((one) => one.name === name) ?? (name === undefined ? alone(chosen) : undefined);
    if (!destination) throw usage(`--port ${part} names nothing that is forwarded.`, chosen);
    if (!/^\d{1,5}$/.test(number) || Number(number) > 65535)
      throw usage(`"${number}" in --port ${part} is no port.`, chosen);
    ports.set(destination, Number(number));
  }
  for (const [destination, port] of ports) {
    const other = [...ports].find(([one, taken]) => one !== destination && taken === port && port !== 0);
    if (other) throw usage(`${destination.name} and ${other[0].name} can't both have the port ${port}.`, chosen);
  }
  return ports;
}

function alone(chosen: readonly Destination[]): Destination | undefined {
  return chosen.length === 1 ? chosen[0] : undefined;
}

function usage(message: string, chosen: readonly Destination[]): UsageError {
  const [first] = chosen;
  const form = chosen.length === 1 ? `${first?.name} --port 9091` : `--port ${first?.name}=9091`;
  return new UsageError(message, `npm run forward -- ${form}`);
}

/**
 * Opens all doors, or none: another port than the one that was named would lead bookmarks and scripts astray, so nothing
 * is chosen in place of one that is taken. Throws a `UsageError` that names who has it.
 */
export async function openDoors(exec: Exec, ports: ReadonlyMap<Destination, number>): Promise<Map<Destination, Door>> {
  const doors = new Map<Destination, Door>();
  try {
    for (const [destination, port] of ports) doors.set(destination, await openOne(exec, destination, port));
    return doors;
  } catch (error) {
    await Promise.all([...doors.values()].map((door) => door.close()));
    throw error;
  }
}

async function openOne(exec: Exec, { name }: Destination, port: number): Promise<Door> {
  const another = `choose another: npm run forward -- ${name} --port ${port + 1000 <= 65535 ? port + 1000 : 9090}`;
  try {
    // Asked first: macOS lets a second process listen on 127.0.0.1 beside one that listens on every address.
    if (port === 0 || (await probePort(port)) === 'free') return await openDoor(port);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
  }
  if ((await probePort(port)) === 'forbidden')
    throw new UsageError(`This user may not open port ${port}, as it is below 1024.`, `C${another.slice(1)}`);
  const holder = await portHolder(exec, port);
  throw new UsageError(
    `Port ${port} of 127.0.0.1, for ${name}, is taken by ${holder?.who ?? 'another process'}.`,
    `${holder?.stop ?? 'Stop that process'}, or ${another}`,
  );
}
