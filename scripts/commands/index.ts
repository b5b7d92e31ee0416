import type { Command } from './command.ts';
import { doctor } from './doctor.ts';
import { down } from './down.ts';
import { passwords } from './passwords.ts';
import { status } from './status.ts';
import { up } from './up.ts';

/** Every command, in the order of the list that `npm run` and `--help` show. */
export const commands: readonly Command[] = [up, status, doctor, passwords, down];
